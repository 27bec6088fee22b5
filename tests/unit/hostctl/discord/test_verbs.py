"""`hostctl discord check | post`: one GET, which posts nothing, and one message; each answer has its own outcome."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hostctl import discord
from hostctl.core.errors import Refusal
from hostctl.discord import CheckRequest, PostRequest
from lab.doubles.discord.sink import Discord, server

PATH = "/api/webhooks/123456789012345678/token"
Answer = tuple[int, Any, dict[str, str]]


def checked(port: int, path: str = PATH, limit: float = 5) -> dict[str, Any]:
    return discord.check(CheckRequest(webhook=f"http://127.0.0.1:{port}{path}", limit_seconds=limit))


@pytest.fixture
def answering() -> Generator[Callable[..., int]]:
    """A server that gives these answers in turn (the last one for ever); its port."""
    running: list[ThreadingHTTPServer] = []

    def serve(*answers: Answer) -> int:
        left = list(answers)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, body, headers = left.pop(0) if len(left) > 1 else left[0]
                content = json.dumps(body).encode()
                self.send_response(status)
                for key, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None: ...

        serving = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=serving.serve_forever, args=(0.05,), daemon=True).start()
        running.append(serving)
        return serving.server_address[1]

    yield serve
    for serving in running:
        serving.shutdown()
        serving.server_close()


def test_a_webhook_that_exists_is_seen_and_nothing_is_posted(tmp_path: Path) -> None:
    record = tmp_path / "messages.jsonl"
    serving = server(Discord(PATH, record), "127.0.0.1", 0)
    threading.Thread(target=serving.serve_forever, args=(0.05,), daemon=True).start()
    try:
        assert checked(serving.server_address[1]) == {"seen": True, "name": "sentinel"}
        with pytest.raises(
            Refusal, match="Discord answers 404 for the webhook: make a new one in the channel's settings, then "
        ):
            checked(serving.server_address[1], PATH + "x")
    finally:
        serving.shutdown()
        serving.server_close()
    assert not record.exists()


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_webhook_that_is_gone_stops_without_its_address(answering: Callable[..., int], status: int) -> None:
    with pytest.raises(Refusal) as refused:
        checked(answering((status, {"message": "Unknown Webhook", "code": 10015}, {})))
    assert f"Discord answers {status} for the webhook" in str(refused.value)
    assert "token" not in str(refused.value)


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        ({"retry_after": 0.3, "global": False}, {"Retry-After": "9"}, 0.3),
        ({}, {"Retry-After": "1"}, 1.0),
        ({"retry_after": None}, {}, 1.0),
    ],
    ids=["body", "header", "neither"],
)
def test_too_many_requests_are_waited_for_as_long_as_discord_asks(
    answering: Callable[..., int], body: Any, headers: dict[str, str], seconds: float
) -> None:
    port = answering((429, body, headers), (200, {"name": "alerts"}, {}))
    began = time.monotonic()
    assert checked(port) == {"seen": True, "name": "alerts"}
    assert seconds <= time.monotonic() - began < seconds + 1


@pytest.mark.parametrize("status", [429, 500, 302])
def test_a_lasting_error_is_reported_and_stops_nobody(answering: Callable[..., int], status: int) -> None:
    assert checked(answering((status, {"retry_after": 5}, {})), limit=1) == {"seen": False, "reason": f"HTTP {status}"}


def test_a_missing_connection_is_reported_and_stops_nobody() -> None:
    assert checked(1) == {"seen": False, "reason": "no connection (Connection refused)"}


def posted(port: int, content: str, path: str = PATH, limit: float = 5) -> dict[str, Any]:
    webhook = f"http://127.0.0.1:{port}{path}"
    return discord.post(PostRequest(webhook=webhook, content=content, limit_seconds=limit))


def test_one_message_is_posted_and_mentions_nobody(tmp_path: Path) -> None:
    record = tmp_path / "messages.jsonl"
    serving = server(Discord(PATH, record), "127.0.0.1", 0)
    threading.Thread(target=serving.serve_forever, args=(0.05,), daemon=True).start()
    try:
        assert posted(serving.server_address[1], "9 of 11 claims proven @everyone") == {"posted": True}
    finally:
        serving.shutdown()
        serving.server_close()
    (message,) = [json.loads(line) for line in record.read_text().splitlines()]
    assert "@everyone" in json.dumps(message) and '"parse": []' in json.dumps(message)


def test_a_message_is_posted_again_after_a_429_and_never_after_an_error_of_discords_own(
    answering: Callable[..., int],
) -> None:
    assert posted(answering((429, {"retry_after": 0.01}, {}), (204, {}, {})), "x") == {"posted": True}
    assert posted(answering((500, {}, {}), (204, {}, {})), "x") == {"posted": False, "reason": "HTTP 500"}


@pytest.mark.parametrize("content", ["", "x" * (discord.MOST_CHARACTERS + 1)])
def test_a_text_that_discord_would_not_take_is_refused_before_it_is_sent(content: str) -> None:
    with pytest.raises(Refusal, match="must have 1 to 2000 characters"):
        posted(1, content)


def test_a_host_that_has_no_connection_yet_tries_until_its_limit(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    record = tmp_path / "messages.jsonl"
    webhook = f"http://127.0.0.1:{port}{PATH}"
    message = PostRequest(webhook=webhook, content="back", limit_seconds=60, patient=True)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(discord.post, message)
        serving = server(Discord(PATH, record), "127.0.0.1", port)
        threading.Thread(target=serving.serve_forever, args=(0.05,), daemon=True).start()
        try:
            assert waiting.result(60) == {"posted": True}
        finally:
            serving.shutdown()
            serving.server_close()
