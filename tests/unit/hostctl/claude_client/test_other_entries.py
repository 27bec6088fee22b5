"""Every entry that leads to the port is found before it moves, changed with the configured one and restored."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hostctl.claude_client.check import check
from hostctl.claude_client.recorded_client import present_client
from hostctl.claude_client.request import EntryRequest
from hostctl.core.errors import Refusal
from tests.unit.hostctl.claude_client.cases import THEIRS, act, document


def theirs(url: str = "http://127.0.0.1:9200/mcp", token: str = "old") -> dict[str, Any]:
    return {**THEIRS, "url": url, "headers": {"Authorization": f"Bearer {token}"}}


WRAPPER = {"command": "docker", "args": ["exec", "-i", "forge-gateway-1", "mcp-wrapper"]}
BRIDGE = {"command": "npx", "args": ["mcp-remote", "http://localhost:9200/mcp"]}
ELSEWHERE = {"type": "http", "url": "http://127.0.0.1:9300/mcp"}


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """A home whose projects, and whose other configuration folder, have entries for the port as well."""
    project, other = tmp_path / "a project.v2", tmp_path / "other"
    project.mkdir()
    other.mkdir()
    write(
        tmp_path / ".claude.json",
        {
            "mcpServers": {"contextforge": theirs(), "my gate.way": theirs("http://localhost:9200/mcp/")},
            "projects": {
                str(project): {
                    "hasTrustDialogAccepted": True,
                    "mcpServers": {"six": theirs("http://[::1]:9200/mcp", "of-the-project"), "elsewhere": ELSEWHERE},
                },
                str(tmp_path / "gone"): {"mcpServers": {}},
            },
        },
    )
    write(project / ".mcp.json", {"mcpServers": {"shared": BRIDGE, "notes": {"command": "notes"}}})
    write(other / ".claude.json", {"mcpServers": {"contextforge": WRAPPER}})
    (tmp_path / ".profile").write_text(f'# CLAUDE_CONFIG_DIR=/nowhere\nexport CLAUDE_CONFIG_DIR="$HOME/{other.name}"\n')
    (tmp_path / ".mcp-token").write_text("old\n")
    return {"home": tmp_path, "project": project, "other": other}


def write(path: Path, known: dict[str, Any]) -> None:
    path.write_text(json.dumps(known, indent=2) + "\n")


def values(home: Path, **changed: Any) -> dict[str, Any]:
    search = {"home": str(home), "port": 9200, "gateway": "forge-gateway-1", "entries": "all"}
    return {**document(home, **changed), **search}


def contents(places: dict[str, Path]) -> dict[str, bytes]:
    files = [places["home"] / ".claude.json", places["project"] / ".mcp.json", places["other"] / ".claude.json"]
    return {str(file): file.read_bytes() for file in files}


def test_each_is_changed_under_its_own_name_and_a_rollback_restores_every_byte(places: dict[str, Path]) -> None:
    home, before = places["home"], contents(places)
    act("record", values(home))
    answer = act("apply", values(home))
    assert "left" not in answer
    ours = EntryRequest(**values(home)).value
    user = json.loads((home / ".claude.json").read_text())
    assert user["mcpServers"] == {"sentinel": ours, "my gate.way": ours}
    assert user["projects"][str(places["project"])]["mcpServers"] == {"six": ours, "elsewhere": ELSEWHERE}
    assert json.loads((places["project"] / ".mcp.json").read_text())["mcpServers"]["shared"] == ours
    assert json.loads((places["other"] / ".claude.json").read_text())["mcpServers"] == {"contextforge": ours}
    assert act("apply", values(home))["changed"] is False
    act("forget", values(home))
    assert contents(places) == before
    assert not (home / "product" / "claude" / "others").exists()


def test_before_the_handover_the_tokens_of_all_are_known_so_that_their_open_sessions_go_on(
    places: dict[str, Path],
) -> None:
    act("record", values(places["home"]))
    known = present_client(values(places["home"])["folder"]).authorizations
    assert known == ("Bearer old", "Bearer of-the-project")


def test_what_somebody_changed_meanwhile_is_kept(places: dict[str, Path]) -> None:
    home = places["home"]
    act("record", values(home))
    act("apply", values(home))
    shared = places["project"] / ".mcp.json"
    known = json.loads(shared.read_text())
    write(shared, {**known, "mcpServers": {**known["mcpServers"], "more": {"command": "more"}}})
    act("forget", values(home))
    assert json.loads(shared.read_text())["mcpServers"] == {
        "shared": BRIDGE,
        "notes": {"command": "notes"},
        "more": {"command": "more"},
    }


def test_with_configured_alone_the_others_are_named_and_left(
    places: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    home, before = places["home"], contents(places)
    only = {**values(home), "entries": "configured"}
    act("record", only)
    act("apply", only)
    assert contents(places) | {str(home / ".claude.json"): b""} == before | {str(home / ".claude.json"): b""}
    named = capsys.readouterr().err
    for name in ("my gate.way", "six", "shared", "contextforge in " + str(places["other"])):
        assert f"entry {name}" in named, named
    assert named.count("change it by hand") == 4
    assert "elsewhere" not in named


def test_an_entry_of_a_folder_that_claude_does_not_trust_is_named_and_left(
    places: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    home, shared = places["home"], places["project"] / ".mcp.json"
    known = json.loads((home / ".claude.json").read_text())
    del known["projects"][str(places["project"])]["hasTrustDialogAccepted"]
    write(home / ".claude.json", known)
    before = shared.read_bytes()
    act("record", values(home))
    act("apply", values(home))
    assert shared.read_bytes() == before
    assert capsys.readouterr().err.count("Claude does not trust its folder yet") == 2
    assert any("start claude there once" in sentence for sentence in check(EntryRequest(**values(home)))["others"])
    assert "Bearer of-the-project" in present_client(values(home)["folder"]).authorizations
    act("forget", values(home))
    assert not (home / "product" / "claude" / "others").exists()


@pytest.mark.parametrize("scope", ["local", "project"])
def test_a_configured_entry_of_such_a_folder_stops_the_run_before_the_handover(
    places: dict[str, Path], scope: str
) -> None:
    home, project = places["home"], places["project"]
    file = home / ".claude.json" if scope == "local" else project / ".mcp.json"
    configured = values(home, scope=scope, project=str(project), file=str(file))
    act("record", configured)
    act("forget", configured)
    write(home / ".claude.json", {"projects": {str(project): {}}})
    with pytest.raises(Refusal, match=f"Claude does not trust the folder {project}"):
        act("record", configured)


def test_an_entry_that_could_not_be_edited_stops_the_run_before_the_handover(places: dict[str, Path]) -> None:
    home = places["home"]
    shared = places["project"] / ".mcp.json"
    text = shared.read_text().replace(
        '"notes": {', '"shared": {"command": "x"}, "shared": ' + json.dumps(BRIDGE) + ', "notes": {'
    )
    shared.write_text(text)
    with pytest.raises(Refusal, match=f"the name shared occurs twice in {shared}: remove one"):
        act("record", values(home))
    assert json.loads((home / ".claude.json").read_text())["mcpServers"]["contextforge"] == theirs()


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("unshare"), reason="a mount needs root")
def test_a_file_that_is_a_mount_is_refused_before_the_handover(home: Path, tmp_path: Path) -> None:
    program = (
        "import sys, json; from hostctl import claude_client as c; from hostctl.claude_client.request import Place\n"
        "try: c.record(Place(**json.loads(sys.argv[1])))\n"
        "except Exception as e: print(type(e).__name__, e)"
    )
    place = {key: value for key, value in document(home).items() if key not in ("url", "helper")}
    mounted = f"mount --bind '{home}/.claude.json' '{home}/.claude.json' && exec python3 -c \"$0\" \"$1\""
    ran = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mounted, program, json.dumps(place)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.startswith(f"Refusal {home}/.claude.json cannot be edited: it is a mount"), ran


def test_the_target_of_a_link_is_edited_and_the_link_stays(home: Path, tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles"
    kept.mkdir()
    (home / ".claude.json").rename(kept / "claude.json")
    (home / ".claude.json").symlink_to(kept / "claude.json")
    before = (kept / "claude.json").read_bytes()
    act("record", values(home))
    act("apply", values(home))
    assert (home / ".claude.json").is_symlink()
    assert "sentinel" in json.loads((kept / "claude.json").read_text())["mcpServers"]
    act("forget", values(home))
    assert (kept / "claude.json").read_bytes() == before and (home / ".claude.json").is_symlink()


def test_once_the_predecessor_is_retired_the_others_keep_ours_until_the_stack_is_taken_down(
    places: dict[str, Path],
) -> None:
    home = places["home"]
    act("record", values(home))
    act("apply", values(home))
    retired = values(home, replaces="")
    act("record", retired)
    act("apply", retired)
    assert json.loads((places["other"] / ".claude.json").read_text())["mcpServers"]["contextforge"]["headersHelper"]
    act("forget", retired)
    assert json.loads((places["other"] / ".claude.json").read_text())["mcpServers"] == {}


def test_an_entry_that_claude_overwrote_is_reported_and_when_it_was_put_back(places: dict[str, Path]) -> None:
    home = places["home"]
    former = (home / ".claude.json").read_bytes()
    act("record", values(home))
    act("apply", values(home))
    assert check(EntryRequest(**values(home)))["ok"] is True
    (home / ".claude.json").write_bytes(former)
    found = check(EntryRequest(**values(home)))
    assert (found["ok"], found["restored_at"]) == (False, "")
    assert "is gone" in found["reason"] and "contextforge is there again" in found["reason"]
    act("apply", values(home))
    found = check(EntryRequest(**values(home)))
    assert found["ok"] is True and found["restored_at"] > "2026"
    act("forget", values(home))
    assert (home / ".claude.json").read_bytes() == former


def test_a_broken_file_of_a_project_is_reported_and_stops_nothing(
    places: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    home = places["home"]
    (places["project"] / ".mcp.json").write_text("{")
    act("record", values(home))
    assert "broken JSON" in capsys.readouterr().err
    assert "left" not in act("apply", values(home))
