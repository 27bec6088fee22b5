"""HTTP MCP servers that answer in one way each, also in wrong ones: the backends of the contract's scenarios."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from tests.integration.sentinel_contract.ports import free_port

JSON = "application/json"
STREAM = "text/event-stream"


@dataclass(frozen=True)
class Request:
    """One request as it arrived."""

    at: float
    line: str
    method: str
    headers: dict[str, str]
    message: dict[str, Any]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], handler: Any) -> None:
        super().__init__(address, handler)
        self.connections: list[socket.socket] = []

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.append(request)
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A gateway that hung up is not a problem of the test."""


@dataclass
class HttpFake:
    """One HTTP backend: `way` holds for every request, `failure` for tools/call alone (see `_fail`)."""

    name: str
    way: str = "json"
    tool: str = ""
    failure: Any = None
    ping: str = "ok"
    """ok, error (a JSON-RPC error with status 200), or the HTTP status of the answer to a ping."""
    call_seconds: float = 0.0
    port: int = field(default_factory=free_port)
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list[Request])
    on_first_request: Callable[[], None] | None = None
    _server: _Server | None = None

    def start(self) -> HttpFake:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                _answer(fake, self, json.loads(body) if body else {})

            def do_GET(self) -> None:
                _answer(fake, self, {})

        self._server = _Server(("127.0.0.1", self.port), Handler)
        if self.tls:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            for connection in self._server.connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._server = None

    def backend(self, path: str = "/mcp", /, **more: Any) -> dict[str, Any]:
        return {"name": self.name, "type": "http", "url": f"http://127.0.0.1:{self.port}{path}", **more}

    def lines(self) -> list[str]:
        return [f"{request.line} {request.method}" for request in self.requests]

    def of(self, method: str) -> list[Request]:
        return [request for request in self.requests if request.method == method]


def _answer(fake: HttpFake, handler: Any, message: dict[str, Any]) -> None:
    headers = {name.lower(): value for name, value in handler.headers.items()}
    method = message.get("method")
    if not fake.requests and fake.on_first_request:
        fake.on_first_request()
    line = f"{handler.command} {handler.path}"
    fake.requests.append(Request(time.monotonic(), line, str(method), headers, message))
    way = fake.way
    if way == "silent":
        time.sleep(60)
    if way == "slow":
        time.sleep(2)
    if way in ("302", "307") and handler.path == "/mcp":
        return _send(handler, int(way), b"", Location="/real/mcp")
    if way in ("302", "307") and handler.command == "GET":
        return _send(handler, 200, b"{}")
    if way in ("401", "404", "500"):
        return _send(handler, int(way), {"401": b'{"e":1}', "404": b"no such", "500": b"broken"}[way])
    if way == "html":
        return _send(handler, 200, b"<html></html>", kind="text/html")
    if method == "ping" and fake.ping != "ok":
        error = {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "Method not found"}}
        if fake.ping == "error":
            return _send(handler, 200, json.dumps(error).encode())
        return _send(handler, int(fake.ping), b"body of failure")
    if method == "notifications/initialized":
        status = {"notif200": 200, "notif400": 400, "stateful": 400}.get(way, 202)
        return _send(handler, status, b"{}" if status == 200 else b"")
    if way == "stateful" and method != "initialize":
        error = {"code": -32600, "message": "Bad Request: Missing session ID"}
        text = json.dumps({"jsonrpc": "2.0", "id": "server-error", "error": error}, separators=(",", ":"))
        return _send(handler, 400, text.encode())
    if way == "needversion" and method != "initialize" and "mcp-protocol-version" not in headers:
        return _send(handler, 400, b"version header missing")
    if method == "tools/call":
        if fake.call_seconds:
            time.sleep(fake.call_seconds)
        if fake.failure is not None and _fail(fake, handler, message):
            return None
    _send_message(fake, handler, method, _result(fake, message))


def _result(fake: HttpFake, message: dict[str, Any]) -> dict[str, Any]:
    method, own_id = message.get("method"), message.get("id")
    answer: dict[str, Any] = {"jsonrpc": "2.0", "id": own_id}
    name = fake.tool or fake.name
    if (fake.way, method) in (("initerror", "initialize"), ("listerror", "tools/list")):
        return {**answer, "error": {"code": -32603, "message": "not now"}}
    if method == "initialize":
        info = {"name": name, "version": "1"}
        answer["result"] = {"protocolVersion": "2025-03-26", "capabilities": {"tools": {}}, "serverInfo": info}
    elif method == "tools/list":
        cursor = {"nextCursor": "more"} if fake.way == "paged" else {}
        answer["result"] = {"tools": [_tool(fake.way, name)], **cursor}
    elif method == "tools/call":
        arguments: dict[str, Any] = message["params"].get("arguments") or {}
        text: str = "x" * arguments["size"] if "size" in arguments else f"ok {message['params']['name']}"
        answer["result"] = {"content": [{"type": "text", "text": text}]}
    else:
        answer["result"] = {}
    if fake.way == "wrongid" and method != "initialize":
        answer["id"] = 4711
    if fake.way == "stringid":
        answer["id"] = str(own_id)
    return answer


def _tool(way: str, name: str) -> dict[str, Any]:
    if way == "noschema":
        return {"name": name, "description": "D"}
    if way != "extras":
        return {"name": name, "description": "D", "inputSchema": {"type": "object"}}
    return {
        "name": name,
        "title": "T",
        "description": "D",
        "inputSchema": {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "x-own": 1,
        },
        "outputSchema": {"type": "object"},
        "annotations": {"title": "t", "readOnlyHint": True, "own": 1},
        "icons": [{"src": "http://x/y.png"}],
        "_meta": {"k": 1},
        "unknown": 1,
    }


def _fail(fake: HttpFake, handler: Any, message: dict[str, Any]) -> bool:
    """Answer a call wrongly; False where the usual answer follows."""
    failure = fake.failure
    if failure == "503 once":
        fake.failure = None
        failure = 503
    if failure == "404 once":
        fake.failure = None
        failure = 404
    if failure == "isError":
        result = {"content": [{"type": "text", "text": "ok h"}], "isError": True}
        _send(handler, 200, json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode())
    elif failure == "rpc error":
        error = {"code": -32050, "message": "own error", "data": {"x": 1}}
        _send(handler, 200, json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": error}).encode())
    elif failure == "close":
        handler.close_connection = True
    elif failure == "reset":
        linger = struct.pack("ii", 1, 0)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        handler.close_connection = True
    elif failure == "cutbody":
        handler.send_response(200)
        handler.send_header("Content-Type", JSON)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"jsonrpc"')
        handler.close_connection = True
    elif isinstance(failure, bytes):
        _send(handler, 200, failure)
    elif isinstance(failure, tuple):
        _open_stream(handler, message, float(cast(tuple[float], failure)[0]))
    else:
        _send(handler, failure, b"" if failure == 204 else b"body of failure")
    return True


def _open_stream(handler: Any, message: dict[str, Any], seconds: float) -> None:
    """The answer at once, as an event of a stream that stays open for `seconds`."""
    result = {"content": [{"type": "text", "text": "ok h"}]}
    _send_headers(handler, 200, STREAM, None)
    event = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result})
    handler.wfile.write(f"data: {event}\n\n".encode())
    handler.wfile.flush()
    time.sleep(seconds)
    handler.close_connection = True


def _send_message(fake: HttpFake, handler: Any, method: str | None, answer: dict[str, Any]) -> None:
    text = json.dumps(answer)
    note = 'data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}\n\n'
    events = {
        "sse": f": a comment\nevent: message\nid: 1\ndata: {text}\n\n",
        "ssecrlf": f"event: message\r\ndata: {text}\r\n\r\n",
        "ssenospace": f"data:{text}\n\n",
        "sseprime": f"id: 0\ndata: \n\nevent: message\ndata: {text}\n\n",
        "ssemulti": "".join(f"data: {part}\n" for part in ("{", text[1:])) + "\n",
        "ssenotefirst": f"{note}data: {text}\n\n",
        "ssenotefirstcall": f"{note if method == 'tools/call' else ''}data: {text}\n\n",
    }
    if fake.way in events:
        _send(handler, 200, events[fake.way].encode(), kind=STREAM)
    elif fake.way == "sseopen":
        _send_headers(handler, 200, STREAM, None)
        handler.wfile.write(f"data: {text}\n\n".encode())
        handler.wfile.flush()
        time.sleep(0.3)
        handler.close_connection = True
    elif fake.way == "gzip":
        _send(handler, 200, gzip.compress(text.encode()), **{"Content-Encoding": "gzip"})
    elif fake.way == "chunked":
        _send_headers(handler, 200, JSON, None, **{"Transfer-Encoding": "chunked"})
        for part in (text[:10].encode(), text[10:].encode()):
            handler.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")
    elif fake.way == "session":
        _send(handler, 200, text.encode(), **{"Mcp-Session-Id": "s-1"})
    else:
        _send(handler, 200, text.encode())


def _send(handler: Any, status: int, body: bytes, kind: str = JSON, **headers: str) -> None:
    _send_headers(handler, status, kind, None if status == 204 else len(body), **headers)
    handler.wfile.write(body)


def _send_headers(handler: Any, status: int, kind: str, length: int | None, **headers: str) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    if length is not None:
        handler.send_header("Content-Length", str(length))
    for name, value in headers.items():
        handler.send_header(name, value)
    if length is None and "Transfer-Encoding" not in headers and status != 204:
        handler.send_header("Connection", "close")
    handler.end_headers()
