"""A double of /metrics with known numbers, over HTTP, for the tests and pictures of its readers.

Owns: serving the numbers of functions of the seconds since its start. The text is the lab's own gateway's
(`lab/doubles/sentinel/metrics.py`), so that names, labels and absent families are those of the recorded real one, and
after it the bridge's own where there is one.
Deliberately does not: call any tool.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bridge.measures import Measures
from lab.doubles.sentinel.metrics import Metrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Happened = Callable[[Metrics, float], None]
"""Puts into the metrics everything that has happened in so many seconds since the start."""
Measured = Callable[[Measures, float], None]
"""The same for the bridge's own."""


@contextmanager
def served(happened: Happened, token: str | None = None, measured: Measured | None = None) -> Generator[int]:
    """The port on 127.0.0.1 on which it is served while inside; with `token`, only to who bears it."""
    began = time.monotonic()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if token is not None and self.headers.get("Authorization") != f"Bearer {token}":
                self.send_error(401)
                return
            metrics, measures = Metrics(), Measures()
            seconds = time.monotonic() - began
            happened(metrics, seconds)
            if measured is not None:
                measured(measures, seconds)
            body = (metrics.text() + (measures.text() if measured is not None else "")).encode()
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            # Prometheus may have ended, or given up.
            with suppress(BrokenPipeError, ConnectionResetError):
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
