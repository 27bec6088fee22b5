"""An HTTP backend whose tools answer in each way that the specification allows and the gateway does not read.

It is strict about its session: 404 without a known id, 400 without the protocol's version. `forget` ends the session.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Message = dict[str, Any]
PAGES = {None: ("first", "2"), "2": ("second", "3"), "3": ("third", None)}
NOTE = '{"jsonrpc":"2.0","method":"notifications/message","params":{}}'
PING = '{"jsonrpc":"2.0","id":"own","method":"ping"}'


@dataclass
class Seen:
    url: str = ""
    sessions: list[str] = field(default_factory=list[str])
    messages: list[Message] = field(default_factory=list[Message])
    connections: set[Any] = field(default_factory=set[Any])

    def methods(self) -> list[str]:
        return [str(message.get("method")) for message in self.messages]


@contextmanager
def odd_http_server() -> Generator[Seen]:
    seen = Seen()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.connections.add(self.client_address)
            if self.path == "/moved":
                self._answer(307, "", {"Location": "/mcp?key=1"})
                return
            seen.messages.append(message)
            if message.get("method") == "initialize":
                seen.sessions.append(f"session-{len(seen.sessions)}")
                result: Message = {"protocolVersion": "2025-03-26", "capabilities": {}, "serverInfo": {}}
                self._json(message, result, {"Mcp-Session-Id": seen.sessions[-1]})
            elif self.headers["Mcp-Session-Id"] != seen.sessions[-1]:
                self._answer(404, "no such session")
            elif self.headers["MCP-Protocol-Version"] != "2025-03-26":
                self._answer(400, "no version")
            elif "id" not in message or "method" not in message:
                self._answer(202, "")
            elif message["method"] == "tools/list":
                name, following = PAGES[message["params"].get("cursor")]
                self._json(message, {"tools": [{"name": name}], "nextCursor": following})
            else:
                self._call(message, message["params"]["name"])

        def _call(self, message: Message, tool: str) -> None:
            answer = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {"ok": tool}})
            if tool == "forget":
                seen.sessions.append("none")
                self._json(message, {"ok": tool})
            elif tool == "failing":
                self._answer(500, "broken")
            elif tool == "nan":
                self._answer(200, answer.replace(f'"{tool}"', "NaN"), {"Content-Type": "application/json"})
            elif tool == "cut":
                self._events("data: {")
            elif tool == "open":
                self._events(f"data: {answer}\n\n", 5)
            elif tool == "lines":
                self._events(": comment\r\nevent: message\r\nid: 1\r\ndata: {\r\ndata:" + answer[1:] + "\r\n\r\n")
            else:
                self._events(f"data: {NOTE}\n\ndata:\n\ndata: {PING}\n\ndata: {answer}\n\n")

        def _json(self, message: Message, result: Message, headers: dict[str, str] | None = None) -> None:
            text = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result})
            self._answer(200, text, {"Content-Type": "application/json", **(headers or {})})

        def _answer(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(text)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def _events(self, text: str, open_seconds: float = 0) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(text.encode())
            self.wfile.flush()
            time.sleep(open_seconds)
            self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the test reads what was seen."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    seen.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()
