"""HTTP with JSON: every missing answer has its own few words, and no limit can be passed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from hostctl.core import http_json
from hostctl.core.http_json import NoAnswer
from tests.starvation import Stopwatch


@dataclass(frozen=True)
class Server:
    """`answers(part, …)` listens at a new address and returns it; `received` are the requests."""

    answers: Callable[..., str]
    received: list[bytes]


@pytest.fixture
def serving() -> Generator[Server]:
    over = threading.Event()
    listeners: list[socket.socket] = []
    received: list[bytes] = []

    def serve(*parts: bytes, pause: float = 0.0, closes: bool = True) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def answer() -> None:
            connection, _ = listener.accept()
            with connection, suppress(ConnectionError):
                received.append(_request_on(connection))
                for part in parts:
                    connection.sendall(part)
                    over.wait(pause)
                if not closes:
                    over.wait(20)

        threading.Thread(target=answer, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/a?b=c"

    yield Server(serve, received)
    over.set()
    for listener in listeners:
        listener.close()


def _request_on(connection: socket.socket) -> bytes:
    request = b""
    while not request.endswith(b"}" if b"Content-Length" in request else b"\r\n\r\n"):
        request += connection.recv(1 << 16)
    return request


def test_a_document_goes_out_and_one_comes_back(serving: Server) -> None:
    url = serving.answers(b'HTTP/1.1 201 Created\r\nContent-Length: 8\r\nX-Is: it\r\n\r\n{"a": 1}')
    answer = http_json.exchange("POST", url, {"b": 2}, {"Host": "there"}, seconds=5)
    assert (answer.status, answer.ok, answer.body, answer.headers["x-is"]) == (201, True, {"a": 1}, "it")
    (request,) = serving.received
    assert request.startswith(b"POST /a?b=c HTTP/1.1\r\n")
    assert b"\r\nHost: there\r\n" in request
    assert b"\r\nContent-Type: application/json\r\n" in request
    assert request.endswith(b'\r\n\r\n{"b": 2}')


@pytest.mark.parametrize(
    "content",
    [
        b"Content-Length: 5\r\n\r\nhello",
        b"Connection: close\r\n\r\nhello",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    ],
    ids=["length", "until-closed", "chunked"],
)
def test_a_text_is_read_to_its_end_although_the_connection_stays_open(serving: Server, content: bytes) -> None:
    url = serving.answers(b"HTTP/1.1 200 OK\r\n" + content, closes=content.startswith(b"Connection"))
    answer = http_json.exchange("GET", url, seconds=5)
    assert (answer.text, answer.body) == ("hello", None)


def test_nobody_at_the_address_is_no_connection() -> None:
    with pytest.raises(NoAnswer, match=r"^no connection \(Connection refused\)$") as refused:
        http_json.exchange("GET", "http://127.0.0.1:1/", seconds=5)
    assert not refused.value.connected


def test_a_connection_that_is_closed_is_no_answer(serving: Server) -> None:
    with pytest.raises(NoAnswer, match=r"^the connection was closed without an answer$") as refused:
        http_json.exchange("GET", serving.answers(), seconds=5)
    assert refused.value.connected


@pytest.mark.parametrize(
    "parts",
    [(), (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", *[b"x"] * 40)],
    ids=["silent", "drop-by-drop"],
)
def test_the_limit_holds_for_the_whole_answer(serving: Server, parts: tuple[bytes, ...]) -> None:
    url = serving.answers(*parts, pause=0.1, closes=False)
    stopwatch = Stopwatch()
    with pytest.raises(NoAnswer, match=r"^no answer in time$"):
        http_json.exchange("GET", url, seconds=0.4)
    assert stopwatch.seconds < 2


def test_an_answer_without_end_is_cut_off(serving: Server) -> None:
    url = serving.answers(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 5000)
    with pytest.raises(NoAnswer, match=r"^the answer is longer than 1000 bytes$"):
        http_json.exchange("GET", url, seconds=5, most_bytes=1000)
