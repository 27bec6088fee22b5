"""Port 9201: `/health`, `/ready` and `/metrics`.

Owns: the three answers and the bearer of `/metrics`. Threads of the standard library: a scrape never waits for a call.
Deliberately does not: end the gateway when the port is held; like the real one it logs that and goes on, blind.
"""

from __future__ import annotations

import hmac
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from .metrics import Metrics

TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


def serve(listen: str, metrics: Metrics, token: str | None) -> None:
    """Starts the health server in the background; `listen` is `ADDRESS:PORT`."""
    host, _, port = listen.rpartition(":")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/health":
                self._answer(200, "application/json", '{"status":"ok"}')
            elif self.path == "/ready":
                self._answer(200, "application/json", '{"status":"ready"}')
            elif self.path != "/metrics":
                self._answer(404, "text/plain", "")
            elif token and not hmac.compare_digest(self.headers.get("Authorization", ""), f"Bearer {token}"):
                self._answer(401, "text/plain", "")
            else:
                self._answer(200, TEXT_FORMAT, metrics.text())

        def _answer(self, status: int, content_type: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """A scrape every few seconds would drown the log."""

    try:
        server = ThreadingHTTPServer((host, int(port)), Handler)
    except OSError as error:
        print(f"ERROR Health server exited with an error: {error.strerror}", file=sys.stderr, flush=True)
        return
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
