"""The downtime probe keeps every attempt with its result, and delays nothing."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Generator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from hostctl.handover import downtime_probe, scenarios
from hostctl.handover.downtime_probe import DowntimeProbe
from hostctl.handover.request import HandoverRequest
from hostctl.mcp import initialize


def request_on(port: int) -> HandoverRequest:
    return replace(scenarios.REQUEST, port=port)


@pytest.fixture
def unused() -> Generator[socket.socket]:
    """A port that is ours and on which nobody listens yet."""
    with socket.socket() as found:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(("127.0.0.1", 0))
        yield found


def serving(status: int) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


def results(seen: DowntimeProbe) -> list[str]:
    return [result for _, _, result in seen.around(0)]


@pytest.mark.parametrize("status", [200, 401, 404, 429])
def test_any_answer_counts_whoever_gives_it(status: int) -> None:
    server = serving(status)
    try:
        with DowntimeProbe(request_on(server.server_address[1])) as seen:
            seen.wait_for(3)
    finally:
        server.shutdown()
        server.server_close()
    assert results(seen)[:2] == ["answered", "answered"]


def test_nobody_there_is_refused_and_a_held_connection_is_silent(unused: socket.socket) -> None:
    with DowntimeProbe(request_on(unused.getsockname()[1])) as seen:
        seen.wait_for(1)
        unused.listen()
        seen.wait_for(2)
    assert results(seen)[0] == "refused"
    assert "silent" in results(seen)


def test_a_connection_that_is_closed_again_is_no_answer(unused: socket.socket) -> None:
    unused.listen()

    def close_each() -> None:
        # Until the socket is shut down, below.
        with contextlib.suppress(OSError):
            while True:
                unused.accept()[0].close()

    closing = threading.Thread(target=close_each)
    closing.start()
    with DowntimeProbe(request_on(unused.getsockname()[1])) as seen:
        seen.wait_for(2)
    unused.shutdown(socket.SHUT_RDWR)
    closing.join()
    assert results(seen)[0] == "closed"


def test_times_are_milliseconds_from_the_given_moment(unused: socket.socket) -> None:
    with DowntimeProbe(request_on(unused.getsockname()[1])) as seen:
        seen.wait_for(2)
        moment = time.monotonic()
        seen.wait_for(2)
    around = seen.around(moment)
    assert around[0][0] < 0 <= around[-1][0]
    assert all(began <= ended for began, ended, _ in around)
    assert [one[0] for one in around] == sorted(one[0] for one in around)


def test_a_probe_without_any_attempt_yet_delays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = threading.Event()

    def once(*_: Any, **__: Any) -> Any:
        hangs.wait()
        return initialize.Answer(False)

    monkeypatch.setattr(downtime_probe.initialize, "once", once)
    monkeypatch.setattr(downtime_probe, "LONGEST_WAIT_SECONDS", 0.05)
    with DowntimeProbe(request_on(1)) as seen:
        seen.wait_for(3)
    assert seen.around(0) == []
    hangs.set()


def test_the_attempts_have_an_end(monkeypatch: pytest.MonkeyPatch, unused: socket.socket) -> None:
    monkeypatch.setattr(downtime_probe, "MOST_POINTS", 4)
    monkeypatch.setattr(downtime_probe, "LONGEST_WAIT_SECONDS", 1.0)
    monkeypatch.setattr(downtime_probe, "PAUSE_SECONDS", 0.0)
    with DowntimeProbe(request_on(unused.getsockname()[1])) as seen:
        seen.wait_for(4)
    assert len(seen.around(0)) == 4
