"""`permissions add|remove`: on a home with settings, projects and agents, beside the entry's own change."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from hostctl import claude_permissions
from hostctl.claude_permissions import PermissionsRequest
from hostctl.core.errors import Refusal
from tests.unit.hostctl.claude_client.cases import AROUND, act, document

TOOLS = {"sqlite-list-tables": "list_tables", "sqlite-write-query": "write_query"}
OLD, NEW = "mcp__contextforge", "mcp__sentinel"
AGENT = f"---\ntools: {OLD}__sqlite-list-tables\n---\nRead.\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    for folder in (tmp_path / ".claude" / "agents", project / ".claude" / "commands" / "deep"):
        folder.mkdir(parents=True)
    write(tmp_path / ".claude.json", {**AROUND, "projects": {str(project): {"allowedTools": [OLD]}, "/gone": {}}})
    write(tmp_path / ".claude" / "settings.json", {"permissions": {"deny": [f"{OLD}__sqlite-write-query"]}})
    write(project / ".claude" / "settings.json", {"permissions": {"allow": [f"{OLD}__gone", "Read"]}})
    write(project / ".claude" / "settings.local.json", {"permissions": {"allow": [f"{OLD}__sqlite-list-tables"]}})
    (tmp_path / ".claude" / "agents" / "reader.md").write_text(AGENT)
    (project / ".claude" / "commands" / "deep" / "c.md").write_text(AGENT.replace("tools", "allowed-tools"))
    (tmp_path / ".claude" / "settings.json").chmod(0o640)
    (tmp_path / ".mcp-token").write_text("old\n")
    return tmp_path


def write(path: Path, known: dict[str, Any]) -> None:
    path.write_text(json.dumps(known, indent=2) + "\n")


def request(home: Path, **values: Any) -> PermissionsRequest:
    place: dict[str, Any] = {key: value for key, value in document(home).items() if key not in ("url", "helper")}
    place |= {"home": str(home), "port": 9200, "names": TOOLS, **values}
    return PermissionsRequest(**place)


def contents(home: Path) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file() and "product" not in path.parts and path.name != ".mcp-token"
    }


def test_each_file_gets_its_counterparts_and_a_rollback_restores_every_byte(home: Path) -> None:
    before = contents(home)
    act("record", document(home))
    answer = claude_permissions.add(request(home))
    assert {os.path.basename(entry["file"]): (entry["rules"], entry["closing"]) for entry in answer["files"]} == {
        "settings.json": (1, 1),
        "settings.local.json": (1, 0),
        ".claude.json": (1, 0),
        "reader.md": (1, 0),
        "c.md": (1, 0),
    }
    assert answer["listed"] == [f"{OLD}__gone in permissions.allow of {home}/project/.claude/settings.json"]
    deny = json.loads((home / ".claude" / "settings.json").read_text())["permissions"]["deny"]
    assert deny == [f"{OLD}__sqlite-write-query", f"{NEW}__write_query"]
    assert stat.S_IMODE((home / ".claude" / "settings.json").stat().st_mode) == 0o640
    act("apply", document(home))
    assert claude_permissions.add(request(home, names={}))["files"] == []
    act("forget", document(home))
    claude_permissions.remove(request(home))
    assert contents(home) == before
    assert not (home / "product" / "claude" / "permissions").exists()
    assert claude_permissions.remove(request(home)) == {"removed": [], "left": []}


def test_what_somebody_changed_meanwhile_is_kept_and_only_ours_comes_out(home: Path) -> None:
    claude_permissions.add(request(home))
    settings = home / ".claude" / "settings.json"
    known = json.loads(settings.read_text())
    known["permissions"]["deny"] += ["Bash(rm:*)"]
    settings.write_text(json.dumps(known))
    claude_permissions.add(request(home))
    claude_permissions.remove(request(home))
    assert json.loads(settings.read_text())["permissions"]["deny"] == [f"{OLD}__sqlite-write-query", "Bash(rm:*)"]


def test_a_rule_that_comes_later_gets_its_counterpart_at_the_next_run_and_loses_it_too(home: Path) -> None:
    claude_permissions.add(request(home))
    settings = home / "project" / ".claude" / "settings.json"
    write(settings, {"permissions": {"deny": [OLD]}})
    claude_permissions.add(request(home, names={}))
    assert json.loads(settings.read_text())["permissions"]["deny"] == [OLD, NEW]
    claude_permissions.remove(request(home))
    assert json.loads(settings.read_text()) == {"permissions": {"deny": [OLD]}}


def test_report_lists_and_writes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(home)
    answer = claude_permissions.add(request(home, mode="report"))
    assert sum(entry["rules"] for entry in answer["files"]) == 5 and len(answer["listed"]) == 1
    assert contents(home) == before
    shown = capsys.readouterr().err
    assert f"1 rule has no counterpart in {home}/.claude/settings.json, 1 of them closing something" in shown
    assert f"no counterpart for {OLD}__gone in permissions.allow" in shown
    claude_permissions.remove(request(home))
    assert contents(home) == before


def test_a_deny_that_could_not_get_its_counterpart_stops_the_run(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hostctl.claude_client.rewrite.atomic_file.write", full)
    with pytest.raises((Refusal, OSError)):
        claude_permissions.add(request(home))


def test_a_broken_file_is_listed_and_left(home: Path) -> None:
    settings = home / "project" / ".claude" / "settings.json"
    settings.write_text("{")
    answer = claude_permissions.add(request(home))
    assert [sentence for sentence in answer["listed"] if str(settings) in sentence]
    assert settings.read_text() == "{"


def test_former_contents_are_readable_for_root_alone(home: Path) -> None:
    claude_permissions.add(request(home))
    folder = home / "product" / "claude" / "permissions"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("*.before")} == {0o600}


def test_what_cannot_be_taken_out_is_named_and_tried_again(home: Path) -> None:
    claude_permissions.add(request(home))
    settings = home / ".claude" / "settings.json"
    good = settings.read_text()
    settings.write_text("{")
    with pytest.raises(Refusal, match=str(settings)):
        claude_permissions.remove(request(home))
    settings.write_text(good + "\n")
    claude_permissions.remove(request(home))
    assert json.loads(settings.read_text())["permissions"]["deny"] == [f"{OLD}__sqlite-write-query"]


def test_once_the_predecessor_is_retired_the_counterparts_stay(home: Path) -> None:
    act("record", document(home))
    claude_permissions.add(request(home))
    act("apply", document(home))
    after = contents(home)
    assert claude_permissions.add(request(home, replaces="", names={})) == {"files": [], "listed": [], "mode": "add"}
    assert contents(home) == after
