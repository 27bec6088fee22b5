"""A gateway on loopback whose tokens and tools a test changes while Claude Code is connected.

Owns: the part of streamable HTTP that Claude Code uses: `initialize`, the list of tools, a call; sessions are not kept.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Gateway:
    """`accepted` are the Authorization values that open it, `calls` the tools that were called."""

    accepted: set[str]
    tools: list[str]
    url: str = ""
    calls: list[str] = field(default_factory=list[str])


@contextmanager
def serving(accepted: set[str], tools: list[str]) -> Generator[Gateway]:
    gateway = Gateway(accepted, tools)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.headers.get("Authorization") not in gateway.accepted:
                self._send(401, {"error": "invalid_token"})
            elif "id" not in message:
                self._send(202, None)
            else:
                self._send(200, {"jsonrpc": "2.0", "id": message["id"], **_answer(gateway, message)})

        def do_GET(self) -> None:
            self._send(405, None)

        do_DELETE = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            return

        def _send(self, status: int, document: Any) -> None:
            body = b"" if document is None else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    gateway.url = f"http://127.0.0.1:{server.server_port}/mcp"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield gateway
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(gateway: Gateway, message: dict[str, Any]) -> dict[str, Any]:
    method: str = message["method"]
    parameters: dict[str, Any] = message.get("params") or {}
    if method == "initialize":
        own: dict[str, Any] = {"capabilities": {"tools": {}}, "serverInfo": {"name": "gateway", "version": "1"}}
        return {"result": {"protocolVersion": "2025-11-25", **own}}
    if method == "tools/list":
        tools = [{"name": name, "description": name, "inputSchema": {"type": "object"}} for name in gateway.tools]
        return {"result": {"tools": tools}}
    if method == "tools/call":
        gateway.calls.append(parameters["name"])
        return {"result": {"content": [{"type": "text", "text": f"answer of {parameters['name']}"}]}}
    return {"error": {"code": -32601, "message": "Method not found"}}
