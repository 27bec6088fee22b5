"""The MCP client: a session's headers, pages, event streams and its end."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hostctl.core.errors import Refusal
from hostctl.mcp import client
from hostctl.mcp.client import CallFailed, Session

TOKEN = "a-token-that-nobody-may-see"
STREAM = "text/event-stream; charset=utf-8"


class Gateway(BaseHTTPRequestHandler):
    """Two pages of tools; a call is answered by an event stream that stays open."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[tuple[str, str, str]]] = []
    over: ClassVar[threading.Event]

    def do_POST(self) -> None:
        message: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._note(message["method"])
        parameters = message.get("params", {})
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._answer(403, {})
        elif message["method"] == "initialize":
            self._answer(200, {"id": message["id"], "result": {}}, {"Mcp-Session-Id": "s1"})
        elif "id" not in message:
            self._answer(202, {})
        elif message["method"] == "tools/call":
            self._stream(message["id"])
        elif parameters.get("cursor") == "second":
            self._answer(200, {"id": message["id"], "result": {"tools": [{"name": "b"}]}})
        else:
            self._answer(200, {"id": message["id"], "result": {"tools": [{"name": "a"}], "nextCursor": "second"}})

    def do_DELETE(self) -> None:
        self._note("DELETE")
        self._answer(200, {})

    def _note(self, method: str) -> None:
        self.seen.append((method, self.headers["Mcp-Session-Id"] or "", self.headers["MCP-Protocol-Version"] or ""))

    def _answer(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        for key, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, number: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", STREAM)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b': alive\r\n\r\nevent: message\r\ndata: {"method": "notifications/message"}\r\n\r\n')
        self.wfile.write(b'id: 7\ndata: {"id": %d,\ndata:  "result": {"content": []}}\n\n' % number)
        self.over.wait(20)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def url() -> Generator[str]:
    Gateway.seen.clear()
    Gateway.over = threading.Event()
    serving = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    serving.daemon_threads = True
    threading.Thread(target=serving.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{serving.server_port}/mcp"
    Gateway.over.set()
    serving.shutdown()
    serving.server_close()


def test_every_request_after_the_first_names_session_and_protocol_until_the_end(url: str) -> None:
    session = Session.open(url, client.bearer(TOKEN), 5)
    assert [tool["name"] for tool in session.tools(5)] == ["a", "b"]
    session.close()
    named = ("s1", client.PROTOCOL)
    assert Gateway.seen == [
        ("initialize", "", ""),
        ("notifications/initialized", *named),
        ("tools/list", *named),
        ("tools/list", *named),
        ("DELETE", *named),
    ]


def test_an_event_stream_is_read_up_to_the_answer_and_no_further(url: str) -> None:
    session = Session.open(url, client.bearer(TOKEN), 5)
    assert session.call("x", {}, 10)["result"] == {"content": []}


def test_a_refused_token_is_reported_without_it(url: str) -> None:
    with pytest.raises(CallFailed) as refused:
        Session.open(url, client.bearer(f"{TOKEN}-of-old"), 5)
    assert str(refused.value) == "the token is refused (HTTP 403)"


@pytest.mark.parametrize("content", [b"", b"two words", b"\xff\xfe"])
def test_a_file_without_a_token_is_refused_by_its_path_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(Refusal, match=r"write it with 'token write'$") as refused:
        client.token_in(str(file))
    assert str(file) in str(refused.value)
    assert "words" not in str(refused.value)
