"""`claude probe`: one session with Claude's entry, and a reason where there is none; never a header."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from hostctl.claude_client.entry_probe import probe
from hostctl.claude_client.request import Place
from tests.unit.hostctl.claude_client.cases import document

GOOD = "Bearer good"


class Gateway(BaseHTTPRequestHandler):
    """MCP's first two messages, for one token."""

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        good = self.headers.get("Authorization") == GOOD
        body = json.dumps({"jsonrpc": "2.0", "id": message.get("id"), "result": {}}).encode()
        self.send_response(200 if good else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on stderr."""


@pytest.fixture
def url() -> Generator[str]:
    server = HTTPServer(("127.0.0.1", 0), Gateway)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/mcp"
    server.shutdown()
    server.server_close()


def checked(home: Path, entry: dict[str, Any] | None) -> dict[str, Any]:
    (home / ".claude.json").write_text(json.dumps({"mcpServers": {"sentinel": entry} if entry else {}}))
    members = {key: value for key, value in document(home).items() if key not in ("url", "helper")}
    return probe(Place(**members))


def test_an_entry_that_the_gateway_accepts_is_usable(tmp_path: Path, url: str) -> None:
    answer = checked(tmp_path, {"type": "http", "url": url, "headers": {"Authorization": GOOD}})
    assert answer == {"usable": True, "detail": f"the entry sentinel is accepted at {url}"}


def test_a_refused_token_is_named_and_not_shown(tmp_path: Path, url: str) -> None:
    answer = checked(tmp_path, {"type": "http", "url": url, "headers": {"Authorization": "Bearer old-one"}})
    assert answer["usable"] is False and "401" in answer["detail"] and "old-one" not in answer["detail"]


def test_an_address_where_nobody_listens_is_a_sentence(tmp_path: Path) -> None:
    answer = checked(tmp_path, {"type": "http", "url": "http://127.0.0.1:9/mcp"})
    assert answer["usable"] is False and "http://127.0.0.1:9/mcp" in answer["detail"]


def test_no_entry_and_one_that_starts_a_program(tmp_path: Path) -> None:
    assert "has no entry sentinel" in checked(tmp_path, None)["detail"]
    assert checked(tmp_path, {"command": "docker", "args": ["run"]})["usable"] is None
