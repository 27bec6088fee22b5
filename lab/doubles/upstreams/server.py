"""Doubles of the backends' upstream APIs, as one program with the standard library only.

What each answers has the shape in which the published servers read it (`bridge/servers/package.json` says which
versions): Context7's `GET /api/v2/libs/search` and `/api/v2/context`, Firecrawl's `POST /v2/map` and `/v2/scrape`,
n8n's public `GET /api/v1/workflows`. A key is required where the real one requires it, and any key is taken.

Owns: the answers. Deliberately does not: check a key's worth, or know anything of the box.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lab.doubles.upstreams.hosts import CONTEXT7, FIRECRAWL, N8N, UPSTREAMS, Upstream

_IDLE_SECONDS = 30
_WORKFLOWS: tuple[dict[str, Any], ...] = (
    {"id": "heartbeat00000001", "name": "Heartbeat", "active": True, "nodes": [], "connections": {}},
    {"id": "invoices000000002", "name": "Invoices to accounting", "active": False, "nodes": [], "connections": {}},
)

Answer = tuple[int, Any]
"""Status, and a document or plain text."""


def answer(upstream: Upstream, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """The upstream's answer to one request; the headers' names are in lower case."""
    parts = urlsplit(target)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if upstream == CONTEXT7:
        return _context7(method, parts.path, query)
    if upstream == FIRECRAWL:
        return _firecrawl(method, parts.path, headers, body)
    if upstream == N8N:
        return _n8n(method, parts.path, headers, query)
    return 400, {"error": "this port is there to be connected to"}


def _context7(method: str, path: str, query: Mapping[str, str]) -> Answer:
    if (method, path) == ("GET", "/api/v2/libs/search"):
        name = query.get("libraryName", "")
        found = {
            "id": f"/{name}/{name}",
            "title": name,
            "description": f"The lab's entry for {name}",
            "totalSnippets": 42,
            "trustScore": 9,
            "versions": ["v1.0.0"],
        }
        return 200, {"results": [found] if name else [], "searchFilterApplied": False}
    if (method, path) == ("GET", "/api/v2/context"):
        return 200, f"### {query.get('query', '')}\n\nAs documented in {query.get('libraryId', '')}.\n"
    return 404, {"message": "no such path"}


def _firecrawl(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
    if not headers.get("authorization", "").startswith("Bearer "):
        return 401, {"success": False, "error": "Unauthorized: Token missing"}
    request = json.loads(body or b"{}")
    url = request.get("url", "")
    if (method, path) == ("POST", "/v2/map"):
        links = [{"url": f"{url}/{page}", "title": page.title()} for page in ("about", "contact")]
        return 200, {"success": True, "id": "map-1", "links": links[: request.get("limit", len(links))]}
    if (method, path) == ("POST", "/v2/scrape"):
        return 200, {"success": True, "data": {"markdown": f"# {url}\n", "metadata": {"sourceURL": url}}}
    return 404, {"success": False, "error": "no such path"}


def _n8n(method: str, path: str, headers: Mapping[str, str], query: Mapping[str, str]) -> Answer:
    if not headers.get("x-n8n-api-key"):
        return 401, {"message": "'X-N8N-API-KEY' header required"}
    if (method, path) == ("GET", "/api/v1/workflows"):
        active = query.get("active")
        found = [one for one in _WORKFLOWS if active is None or str(one["active"]).lower() == active]
        return 200, {"data": found, "nextCursor": None}
    for one in _WORKFLOWS:
        if (method, path) == ("GET", f"/api/v1/workflows/{one['id']}"):
            return 200, one
    return 404, {"message": "Not Found"}


def _lowered(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}


def serve(upstream: Upstream) -> ThreadingHTTPServer:
    """A server of that upstream that listens already, on its own address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = _IDLE_SECONDS

        def do_GET(self) -> None:
            self._reply()

        def do_POST(self) -> None:
            self._reply()

        def _reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, document = answer(upstream, self.command, self.path, _lowered(self.headers.items()), body)
            kind = "text/plain" if isinstance(document, str) else "application/json"
            content = document.encode() if isinstance(document, str) else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return ThreadingHTTPServer((upstream.address, upstream.port), Handler)


def main() -> None:
    servers = [serve(upstream) for upstream in UPSTREAMS]
    threads = [threading.Thread(target=server.serve_forever) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
