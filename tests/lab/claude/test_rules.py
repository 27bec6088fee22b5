"""The real Claude Code over a change of gateways: the rules that it obeys, and the token that it fetches.

No lab is needed: the gateway is a stand-in on loopback.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from console.progress import Progress
from hostctl import claude_client, claude_permissions
from hostctl.claude_client.request import EntryRequest
from hostctl.claude_permissions import PermissionsRequest
from lab.real.claude_code import install
from tests.lab.claude import model
from tests.lab.claude.gateway import Gateway, serving
from tests.lab.claude.session import NotOffered, Session

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

NAMES = {"sqlite-list-tables": "list_tables", "sqlite-write-query": "write_query", "sqlite-read-query": "read_query"}
OLD, NEW = "Bearer old", "Bearer new"
GUARDED = {"type": "command", "command": "cat > /dev/null; echo guarded >&2; exit 2"}


@pytest.fixture(scope="module")
def claude(progress: Progress) -> Path:
    return install.executable(progress)


@pytest.fixture
def model_port(tmp_path: Path) -> Generator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen([sys.executable, str(Path(model.__file__)), str(port)]) as process:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port
        process.kill()


@pytest.fixture
def gateway() -> Generator[Gateway]:
    with serving({OLD}, list(NAMES)) as gateway:
        yield gateway


@pytest.fixture
def home(tmp_path: Path, gateway: Gateway) -> Path:
    """The operator's home while ContextForge serves: one tool is denied, one guarded by a hook."""
    entry = {"type": "http", "url": gateway.url, "headers": {"Authorization": OLD}}
    (tmp_path / ".claude.json").write_text(json.dumps({"mcpServers": {"contextforge": entry}}, indent=2))
    (tmp_path / ".mcp-token").write_text("old\n")
    (tmp_path / ".claude").mkdir()
    settings = {
        "permissions": {"deny": ["mcp__contextforge__sqlite-write-query"]},
        "hooks": {"PreToolUse": [{"matcher": "mcp__contextforge__sqlite-read-.*", "hooks": [GUARDED]}]},
    }
    (tmp_path / ".claude" / "settings.json").write_text(json.dumps(settings, indent=2))
    return tmp_path


def place(home: Path, gateway: Gateway, **more: Any) -> dict[str, Any]:
    folder = home / "product" / "claude"
    return {
        "file": str(home / ".claude.json"),
        "entry": "sentinel",
        "replaces": "contextforge",
        "token_file": str(home / ".mcp-token"),
        "issuer": "sentinel-gateway",
        "folder": str(folder),
        "home": str(home),
        "port": int(gateway.url.rsplit(":", 1)[1].partition("/")[0]),
        **more,
    }


def cut_over(home: Path, gateway: Gateway, mode: str) -> EntryRequest:
    entry = EntryRequest(**place(home, gateway, url=gateway.url, helper=str(home / "product" / "claude" / "headers")))
    claude_client.record(entry)
    claude_permissions.add(PermissionsRequest(**place(home, gateway, names=NAMES, mode=mode)))
    gateway.accepted, gateway.tools = {NEW}, list(NAMES.values())
    (home / ".mcp-token").write_text("new\n")
    claude_client.apply(entry)
    return entry


def roll_back(home: Path, gateway: Gateway, entry: EntryRequest) -> None:
    gateway.accepted, gateway.tools = {OLD}, list(NAMES)
    claude_client.forget(entry)
    claude_permissions.remove(PermissionsRequest(**place(home, gateway)))


def outcomes(claude: Path, home: Path, port: int, allowed: tuple[str, ...]) -> dict[str, bool]:
    """For each tool by its last word: true where a new session of Claude could call it."""
    found: dict[str, bool] = {}
    with Session(claude, home, port, allowed=allowed) as session:
        session.offered()
        for word in ("list.tables", "write.query", "read.query"):
            try:
                found[word] = not session.call(word).failed
            except NotOffered:
                found[word] = False
    return found


CLOSED = {"list.tables": True, "write.query": False, "read.query": False}


def test_claude_obeys_the_added_rules_and_without_them_what_was_denied_is_open(
    claude: Path, model_port: int, home: Path, gateway: Gateway
) -> None:
    settings = home / ".claude" / "settings.json"
    before = settings.read_bytes()
    assert outcomes(claude, home, model_port, ("mcp__contextforge",)) == CLOSED
    entry = cut_over(home, gateway, "report")
    assert outcomes(claude, home, model_port, ("mcp__sentinel",)) == dict.fromkeys(CLOSED, True)
    roll_back(home, gateway, entry)
    entry = cut_over(home, gateway, "add")
    assert outcomes(claude, home, model_port, ("mcp__sentinel",)) == CLOSED
    roll_back(home, gateway, entry)
    assert settings.read_bytes() == before
    assert outcomes(claude, home, model_port, ("mcp__contextforge",)) == CLOSED


@pytest.mark.parametrize(
    ("settings", "still_open"),
    [
        ({"permissions": {"deny": ["mcp__contextforge"]}}, set[str]()),
        ({"permissions": {"deny": ["mcp__contextforge__*"]}}, set[str]()),
        ({"permissions": {"deny": ["mcp__contextforge__sqlite-*-query"]}}, {"list.tables"}),
        ({"permissions": {"deny": ["mcp__*__sqlite-write-query"]}}, {"list.tables", "read.query"}),
        ({"permissions": {"deny": ["mcp__context*"]}}, set[str]()),
        (
            {"hooks": {"PreToolUse": [{"matcher": "mcp__contextforge__.*", "hooks": [GUARDED]}]}},
            set[str](),
        ),
    ],
    ids=["entry", "entry-star", "tools-star", "any-entry", "part-of-an-entry", "hook"],
)
def test_claude_closes_the_same_tools_after_the_cutover_for_every_form_of_a_rule(
    claude: Path, model_port: int, home: Path, gateway: Gateway, settings: dict[str, Any], still_open: set[str]
) -> None:
    (home / ".claude" / "settings.json").write_text(json.dumps(settings))
    before = outcomes(claude, home, model_port, ("mcp__contextforge",))
    assert {word for word, opened in before.items() if opened} == still_open
    cut_over(home, gateway, "add")
    assert outcomes(claude, home, model_port, ("mcp__sentinel",)) == before


def test_a_session_that_began_on_sentinel_fetches_contextforges_token_after_the_rollback(
    claude: Path, model_port: int, home: Path, gateway: Gateway
) -> None:
    entry = cut_over(home, gateway, "add")
    with Session(claude, home, model_port) as session:
        session.offered()
        assert session.call("list.tables").failed is False
        # The port first, then Claude's files: the call comes in between.
        gateway.accepted = {OLD}
        between = session.call("list.tables")
        roll_back(home, gateway, entry)
        after = session.call("list.tables")
    assert (between.failed, after.failed) == (False, False), session.output
    assert gateway.calls == ["list_tables"] * 3


def test_a_session_waits_for_the_token_that_follows_a_rotation(
    claude: Path, model_port: int, home: Path, gateway: Gateway
) -> None:
    cut_over(home, gateway, "add")
    with Session(claude, home, model_port) as session:
        session.offered()
        assert session.call("list.tables").failed is False
        gateway.accepted = {"Bearer rotated"}
        late = subprocess.Popen(["sh", "-c", f"sleep 2; echo rotated > {home}/.mcp-token"])
        called = session.call("list.tables")
        late.wait()
    assert called.failed is False, called
