"""n8n's public API as far as `hostctl n8n` uses it, small enough to run in a test; `course` holds it to the real one.

`course` asks the same questions of whoever answers; the test of the double and the lab's test of the real n8n both
compare with `COURSE`.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Call = Callable[[str, str, "dict[str, Any] | None"], tuple[int, Any]]
READ_ONLY = ("id", "active")
TAKEN = {"name", "nodes", "connections", "settings"}


@dataclass
class N8n:
    """Its workflows and credentials. `changes` is every request that changes something, in order."""

    key: str = "n8n-key"
    workflows: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    credentials: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    changes: list[str] = field(default_factory=list[str])
    page: int = 100
    starting: int = 0
    """So many requests are still answered by 503."""
    _numbers: Any = field(default_factory=itertools.count)

    def answer(self, method: str, path: str, key: str, body: dict[str, Any] | None) -> tuple[int, Any]:
        if self.starting:
            self.starting -= 1
            return 503, {"code": 503, "message": "n8n is starting up. Please wait"}
        if key != self.key:
            return 401, {"message": "unauthorized"}
        path, _, query = path.partition("?")
        if method != "GET":
            self.changes.append(f"{method} {path}")
        _, _, _, kind, *rest = path.split("/")
        held = {"workflows": self.workflows, "credentials": self.credentials}[kind]
        if not rest:
            return self._list(query) if method == "GET" else self._make(kind, body or {})
        identity = rest[0]
        if identity not in held:
            return 404, {"message": "Not Found"}
        if method == "DELETE":
            return 200, held.pop(identity)
        if rest[1:] == ["activate"]:
            held[identity]["active"] = True
        elif method == "PUT":
            held[identity].update(body or {})
        return 200, held[identity]

    def _list(self, query: str) -> tuple[int, Any]:
        begin = int(query.partition("cursor=")[2] or 0)
        found = list(self.workflows.values())[begin : begin + self.page]
        more = begin + self.page < len(self.workflows)
        return 200, {"data": found, "nextCursor": str(begin + self.page) if more else None}

    def _make(self, kind: str, body: dict[str, Any]) -> tuple[int, Any]:
        identity = f"{kind[:-1]}{next(self._numbers)}"
        if kind == "credentials":
            self.credentials[identity] = {**body, "id": identity}
            return 200, {key: value for key, value in self.credentials[identity].items() if key != "data"}
        for key in READ_ONLY:
            if key in body:
                return 400, {"message": f"request/body/{key} is read-only"}
        if set(body) != TAKEN:
            return 400, {"message": "request/body must NOT have additional properties"}
        self.workflows[identity] = {**body, "id": identity, "active": False, "createdAt": f"2026-01-01T{len(identity)}"}
        return 200, self.workflows[identity]


@contextmanager
def serving(n8n: N8n) -> Generator[str]:
    """Its address, such as http://127.0.0.1:41234."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")
            status, said = n8n.answer(self.command, self.path, self.headers.get("X-N8N-API-KEY") or "", body)
            content = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PUT = do_DELETE = do_GET

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def course(call: Call, workflow: dict[str, Any], data: dict[str, str]) -> list[tuple[str, Any]]:
    """Makes, changes, publishes and removes a workflow and a credential; what was answered, in words."""
    said: list[tuple[str, Any]] = []
    status, made = call("POST", "/workflows", workflow)
    said.append(("a new workflow is not active", (status, made["active"])))
    said.append(("`active` may not be given", call("POST", "/workflows", {**workflow, "active": True})[0]))
    place = f"/workflows/{made['id']}"
    status, active = call("POST", f"{place}/activate", None)
    said.append(("it is activated", (status, active["active"])))
    said.append(("and again, which is no error", call("POST", f"{place}/activate", None)[0]))
    status, changed = call("PUT", place, {**workflow, "name": "Another name"})
    said.append(("a change keeps it active", (status, changed["name"], changed["active"])))
    listed = [one for one in call("GET", "/workflows?limit=100", None)[1]["data"] if one["id"] == made["id"]]
    nodes = [node["id"] for node in listed[0]["nodes"]] == [node["id"] for node in workflow["nodes"]]
    said.append(("the list has it once, active, with its nodes' ids", (len(listed), listed[0]["active"], nodes)))
    status, credential = call("POST", "/credentials", {"name": "c", "type": "discordWebhookApi", "data": data})
    said.append(("a credential comes back without its data", (status, "data" in credential)))
    said.append(("it is removed", call("DELETE", f"/credentials/{credential['id']}", None)[0]))
    said.append(("and then is unknown", call("DELETE", f"/credentials/{credential['id']}", None)[0]))
    said.append(("an active workflow is removed", call("DELETE", place, None)[0]))
    said.append(("and then is unknown", call("DELETE", place, None)[0]))
    return said


COURSE: list[tuple[str, Any]] = [
    ("a new workflow is not active", (200, False)),
    ("`active` may not be given", 400),
    ("it is activated", (200, True)),
    ("and again, which is no error", 200),
    ("a change keeps it active", (200, "Another name", True)),
    ("the list has it once, active, with its nodes' ids", (1, True, True)),
    ("a credential comes back without its data", (200, False)),
    ("it is removed", 200),
    ("and then is unknown", 404),
    ("an active workflow is removed", 200),
    ("and then is unknown", 404),
]
