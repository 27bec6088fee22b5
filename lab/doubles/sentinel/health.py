"""Port 9201 (`/health`, `/ready`, `/metrics`), and the health checks of the HTTP backends.

Owns: the three answers, the bearer of `/metrics`, the checks every 30 s. Threads of the standard library: a scrape
never waits for a call.
Deliberately does not: end the gateway when the port is held (like the real one it logs that and goes on, blind), or ask
a stdio backend, which counts as healthy for good.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import socket
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from .http_backend import HttpBackend
from .log import Log
from .metrics import Metrics
from .problems import BackendFailed

TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"
PLAIN = "text/plain; charset=utf-8"
PATHS = ("/health", "/ready", "/metrics")
CHECK_SECONDS = 30.0


class Health:
    """Each backend's state: it counts as healthy until a check says otherwise."""

    def __init__(self, names: list[str], metrics: Metrics) -> None:
        self._metrics = metrics
        self._states = dict.fromkeys(names, True)
        for name in names:
            metrics.backend(name, True)

    def note(self, name: str, healthy: bool) -> None:
        self._states[name] = healthy
        self._metrics.backend(name, healthy)

    def ready(self) -> tuple[int, str]:
        if not self._states:
            return 503, '{"reason":"no backends registered","status":"not_ready"}'
        return (200, '{"status":"ready"}') if any(self._states.values()) else (503, '{"status":"not_ready"}')

    async def watch(self, backends: Mapping[str, HttpBackend]) -> None:
        """Asks one backend after the other, every 30 s, whatever its table says; an error it answers is an answer."""
        log, failures = Log("health::checker"), dict.fromkeys(backends, 0)
        try:
            while True:
                pause = asyncio.create_task(asyncio.sleep(CHECK_SECONDS))
                for name, backend in backends.items():
                    try:
                        await backend.exchange({"jsonrpc": "2.0", "id": 1, "method": "ping"})
                    except BackendFailed as error:
                        failures[name] += 1
                        self.note(name, False)
                        log.warn("Health check failed", backend=name, failures=failures[name], error=error)
                    else:
                        failures[name] = 0
                        self.note(name, True)
                await pause
        except asyncio.CancelledError:
            log.info("Health checker shutting down")
            raise


def serve(listen: str, metrics: Metrics, health: Health, token: str | None) -> ThreadingHTTPServer | None:
    """Starts the health server in the background; `listen` is `ADDRESS:PORT`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/health":
                self._answer(200, "application/json", '{"status":"ok"}')
            elif path == "/ready":
                status, body = health.ready()
                self._answer(status, "application/json", body)
            elif path != "/metrics":
                self._answer(404, None, "")
            elif token is None or _is_bearer(self.headers.get("Authorization", ""), token):
                self._answer(200, TEXT_FORMAT, metrics.text())
            else:
                self._answer(401, PLAIN, "Unauthorized", {"WWW-Authenticate": "Bearer"})

        do_HEAD = do_GET

        def do_POST(self) -> None:
            self._answer(405 if self.path.partition("?")[0] in PATHS else 404, None, "")

        def _answer(self, status: int, kind: str | None, text: str, more: Mapping[str, str] | None = None) -> None:
            body = text.encode()
            self.send_response_only(status)
            headers = {"Date": self.date_time_string(), "Content-Length": str(len(body)), **(more or {})}
            for name, value in {**headers, **({"Content-Type": kind} if kind else {})}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """A scrape every few seconds would drown the log."""

    if token is None:
        Log().warn("Metrics endpoint is unauthenticated (HEALTH_TOKEN not set)")
    else:
        Log().info("Metrics endpoint auth enabled (HEALTH_TOKEN set)")
    host, _, port = listen.rpartition(":")
    try:
        server = _server(host.strip("[]"), int(port), Handler)
    except ValueError:
        Log().error("Health server exited with error", error="invalid socket address")
        return None
    except OSError as error:
        Log().error("Health server exited with error", error=f"{error.strerror} (os error {error.errno})")
        return None
    Log("health::server").info("Health server listening", addr=listen)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server


def close(server: ThreadingHTTPServer) -> None:
    server.shutdown()
    server.server_close()


def _server(host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    class Server(ThreadingHTTPServer):
        daemon_threads = True
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    if not host:
        raise ValueError
    try:
        ipaddress.ip_address(host)
    except ValueError:
        host = socket.gethostbyname(host)
    return Server((host, port), handler)


def _is_bearer(given: str, token: str) -> bool:
    """An empty token fits nothing: a header's value loses its last space."""
    return hmac.compare_digest(given.strip().encode(), f"Bearer {token}".encode())
