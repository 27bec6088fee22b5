"""Waiting for a gateway's good answer: a slow one is heard, one that has ended is not waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import pytest

from hostctl.core.errors import Refusal
from hostctl.mcp import initialize
from tests.starvation import Stopwatch

ANSWER_SECONDS = 0.9
"""More than the first attempt waits, and more than twice the interval of the checks."""


@pytest.fixture
def slow() -> Generator[initialize.Target]:
    """A gateway each of whose answers takes ANSWER_SECONDS."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(ANSWER_SECONDS)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield initialize.Target("127.0.0.1", server.server_address[1], "/health", "127.0.0.1")
    server.shutdown()
    server.server_close()


def test_a_slow_gateway_is_heard_although_it_is_checked_in_between(slow: initialize.Target) -> None:
    checks: list[float] = []
    answer = initialize.wait(slow, 20, between=lambda: checks.append(time.monotonic()))
    assert answer.good, answer
    assert checks
    assert all(after - before >= initialize.CHECK_SECONDS for before, after in pairwise(checks))


def test_an_exception_of_a_check_ends_the_waiting(slow: initialize.Target) -> None:
    def ended() -> None:
        raise Refusal("it ended")

    stopwatch = Stopwatch()
    with pytest.raises(Refusal, match="it ended"):
        initialize.wait(slow, 20, between=ended)
    assert stopwatch.seconds < 5


def test_without_an_answer_the_reason_is_reported_at_the_end(slow: initialize.Target) -> None:
    answer = initialize.wait(slow, 0.2)
    assert (answer.good, answer.reason) == (False, "no answer in time")
