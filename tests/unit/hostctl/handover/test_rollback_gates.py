"""The predecessor in standby is called with its own recorded header, and every way to fail is named."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hostctl.core.errors import Refusal
from hostctl.handover import rollback_gates
from hostctl.handover.rollback_gates import Gate, Place, RollbackGates
from hostctl.mcp.probe import Probe

PORT = 9200
TOKEN = "theirs.of.contextforge"
LIST, READ = "sqlite-list-tables", "n8n-read"
PROBES = (
    Probe("sqlite", "list_tables"),
    Probe("n8n", "read"),
    Probe("exa", "search", needs_internet=True),
    Probe("context7", "resolve", optional=True, reason="offline"),
)
BASELINE = {
    "tools": [{"name": LIST, "schema_hash": "1"}, {"name": READ, "schema_hash": "2"}],
    "backends": [
        {"name": "sqlite", "tool": LIST, "result": "ok", "kind": "text"},
        {"name": "n8n", "tool": READ, "result": "ok", "kind": "text"},
        {"name": "exa", "tool": "exa-search", "result": "ok", "kind": "text"},
        {"name": "context7", "tool": "context7-resolve", "result": "unreachable", "kind": ""},
    ],
}


@dataclass
class World:
    """A predecessor's faults: the status of /health, its tools, and tools whose calls fail."""

    health: int = 200
    tools: list[str] = field(default_factory=lambda: [LIST, READ, "exa-search"])
    failing: set[str] = field(default_factory=set[str])
    token: str = TOKEN


class ContextForge(BaseHTTPRequestHandler):
    world: ClassVar[World]
    hosts: ClassVar[set[str]]
    called: ClassVar[list[str]]

    def do_GET(self) -> None:
        self.hosts.add(self.headers["Host"])
        self._answer(self.world.health, {"status": "healthy"})

    def do_DELETE(self) -> None:
        self._answer(200, {})

    def do_POST(self) -> None:
        self.hosts.add(self.headers["Host"])
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != f"Bearer {self.world.token}":
            return self._answer(401, {})
        if "id" not in message:
            return self._answer(202, {})
        return self._answer(200, {"jsonrpc": "2.0", "id": message["id"], **self._outcome(message)})

    def _outcome(self, message: dict[str, Any]) -> dict[str, Any]:
        if message["method"] == "tools/list":
            return {"result": {"tools": [{"name": name} for name in self.world.tools]}}
        if message["method"] == "tools/call":
            name = message["params"]["name"]
            self.called.append(name)
            return {
                "result": {"content": [{"type": "text", "text": "no such file"}], "isError": name in self.world.failing}
            }
        return {"result": {}}

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def place(world: World) -> Generator[Place]:
    handler = type("Handler", (ContextForge,), {"world": world, "hosts": set(), "called": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield Place("127.0.0.1", server.server_port, PORT)
    server.shutdown()
    thread.join()
    server.server_close()
    assert handler.hosts <= {f"127.0.0.1:{PORT}"}
    assert set(handler.called) <= {LIST, READ}


@pytest.fixture
def gates(tmp_path: Path) -> RollbackGates:
    """The folders as a cutover leaves them: the token in Claude's entry as an unset variable, and in the token file."""
    (tmp_path / "baseline.json").write_text(json.dumps(BASELINE))
    entry = {"type": "http", "url": "http://127.0.0.1:9200/mcp/", "headers": {"Authorization": "Bearer ${UNSET_TOKEN}"}}
    record = {
        "found": {"theirs": {"value": json.dumps(entry)}, "ours": None},
        "token": {"exists": True, "content": base64.b64encode(TOKEN.encode()).decode()},
    }
    (tmp_path / "record.json").write_text(json.dumps(record))
    return RollbackGates(str(tmp_path), str(tmp_path), PROBES, seconds=2)


def failures(results: list[Gate]) -> dict[str, str]:
    return {gate.name: gate.reason for gate in results if gate.reason}


def test_a_good_predecessor_passes_and_only_its_good_offline_calls_are_made(place: Place, gates: RollbackGates) -> None:
    assert [gate.name for gate in rollback_gates.ask(place, gates)] == ["health", "tools", "sqlite", "n8n"]
    rollback_gates.require(place, gates)


def test_an_unhealthy_one_is_asked_nothing_else(world: World, place: Place, gates: RollbackGates) -> None:
    world.health = 503
    assert rollback_gates.ask(place, gates) == [Gate("health", "HTTP 503")]


def test_nobody_at_the_address_is_named(gates: RollbackGates) -> None:
    (result,) = rollback_gates.ask(Place("127.0.0.1", 1, PORT), gates)
    assert result.name == "health" and result.reason.startswith("no answer (")


def test_a_token_that_is_no_longer_taken_is_named(world: World, place: Place, gates: RollbackGates) -> None:
    world.token = "another"
    assert failures(rollback_gates.ask(place, gates)) == {"tools": "the token is refused (HTTP 401)"}


def test_without_a_record_it_is_called_without_a_header(world: World, place: Place, gates: RollbackGates) -> None:
    without = replace(gates, claude_folder=f"{gates.claude_folder}/nowhere")
    assert failures(rollback_gates.ask(place, without)) == {"tools": "the token is refused (HTTP 401)"}


def test_a_tool_of_the_baseline_that_is_gone_is_named(world: World, place: Place, gates: RollbackGates) -> None:
    world.tools = [READ]
    assert failures(rollback_gates.ask(place, gates)) == {"tools": f"{LIST} of the baseline is not listed"}
    world.tools = []
    assert rollback_gates.ask(place, replace(gates, baseline_folder=""))[-1] == Gate("tools", "no tool is listed")


def test_a_call_that_was_good_before_is_required(world: World, place: Place, gates: RollbackGates) -> None:
    world.failing = {READ}
    assert failures(rollback_gates.ask(place, gates)) == {"n8n": "no such file"}
    with pytest.raises(Refusal, match=r"n8n: no such file.*FORCE=1"):
        rollback_gates.require(place, gates)


def test_no_reason_holds_a_token(world: World, place: Place, gates: RollbackGates) -> None:
    world.token = "another"
    assert TOKEN not in str(rollback_gates.ask(place, gates))
