"""A small gateway for the handover's tests: GET /health, and POST /mcp that demands a bearer token; or a proxy.

Owns: answers that name the container (header X-Gateway), the faults that environment variables or the file ILL switch
on, and with UPSTREAM the passing on of every request, as nginx does in front of several replicas.
Deliberately does not: speak more of MCP than `initialize` and a list of one tool.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME, TOKEN = os.environ["NAME"], os.environ.get("TOKEN", "")
# "die": ends as soon as a second network is there; "mute": then answers 503 to everything.
ON_SECOND_NETWORK = os.environ.get("ON_SECOND_NETWORK", "")
STOP_SECONDS = float(os.environ.get("STOP_SECONDS", "0"))
# HOST:PORT; its name is resolved for each request.
UPSTREAM = os.environ.get("UPSTREAM", "")
# While this file exists, also over a restart, it answers 503 to everything.
ILL = "/ill"


def networks() -> int:
    return len([name for name in os.listdir("/sys/class/net") if name != "lo"])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if UPSTREAM:
            return self._pass_on()
        self._answer(200 if self.path == "/health" else 404, {"status": "healthy"})

    def do_POST(self) -> None:
        if UPSTREAM:
            return self._pass_on()
        message = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        good = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        result = {"tools": [{"name": "ping"}]} if b'"tools/list"' in message else {"serverInfo": {"name": NAME}}
        self._answer(200 if good else 401, {"jsonrpc": "2.0", "id": 1, "result": result})

    def do_DELETE(self) -> None:
        self._answer(200, {})

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        connection = http.client.HTTPConnection(UPSTREAM, timeout=5)
        try:
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            self._write(answer.status, answer.read(), answer.getheader("X-Gateway") or NAME)
        except OSError:
            self._write(502, b"{}", NAME)
        finally:
            connection.close()

    def _answer(self, status: int, body: dict[str, object]) -> None:
        if (ON_SECOND_NETWORK == "mute" and networks() > 1) or os.path.exists(ILL):
            status = 503
        self._write(status, json.dumps(body).encode(), NAME)

    def _write(self, status: int, content: bytes, name: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Gateway", name)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        return


def watch() -> None:
    while True:
        if networks() > 1:
            os._exit(7)
        time.sleep(0.001)


def ended(number: int, frame: object) -> None:
    time.sleep(STOP_SECONDS)
    os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, ended)
    if ON_SECOND_NETWORK == "die":
        threading.Thread(target=watch, daemon=True).start()
    server = ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Handler)
    print("listens", flush=True)
    server.serve_forever()
