"""`claude apply|restore` on real files: our entry and the token only, back byte for byte."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from hostctl.core import atomic_file
from tests.unit.hostctl.claude_client.cases import AROUND, THEIRS, act, document, entries, ours


def test_through_the_archive_the_entry_takes_the_predecessors_place_and_gives_it_back(run: Any, home: Path) -> None:
    before = (home / ".claude.json").read_bytes()
    for verb in ("record", "apply"):
        done = run("claude", verb, document=document(home))
        assert done.returncode == 0, done.stderr
    expected = json.dumps(AROUND, indent=2).encode() + b"\n"
    entry = {"type": "http", "url": "http://127.0.0.1:9200/mcp", "headersHelper": document(home)["helper"]}
    theirs, mine = ({name: value} for name, value in (("contextforge", THEIRS), ("sentinel", entry)))
    inner = [json.dumps(one, indent=2).removeprefix("{\n").removesuffix("\n}") for one in (theirs, mine)]
    was, now = ("\n".join("  " + line for line in one.split("\n")).encode() for one in inner)
    assert (home / ".claude.json").read_bytes() == expected.replace(was, now)
    assert stat.S_IMODE((home / ".claude.json").stat().st_mode) == 0o640
    assert json.loads(run("claude", "restore", document=document(home)).stdout)["reason"] == "put back"
    assert (home / ".claude.json").read_bytes() == before
    assert json.loads(run("claude", "restore", document=document(home)).stdout)["changed"] is False


def test_doing_it_twice_changes_nothing_and_says_why(home: Path) -> None:
    act("record", document(home))
    assert act("record", document(home))["reason"] == "recorded before"
    assert act("apply", document(home))["reason"] == "written"
    inode = (home / ".claude.json").stat().st_ino
    assert act("apply", document(home)) == {
        "file": str(home / ".claude.json"), "entry": "sentinel", "changed": False,
        "reason": "the entry is as declared already",
    }  # fmt: skip
    assert (home / ".claude.json").stat().st_ino == inode


def test_what_somebody_else_changed_meanwhile_is_kept(home: Path) -> None:
    act("record", document(home))
    act("apply", document(home))
    text = (home / ".claude.json").read_text()
    (home / ".claude.json").write_text(text.replace('"b":', '"more": 1,\n  "b":'))
    act("restore", document(home))
    assert (home / ".claude.json").read_text() == (json.dumps(AROUND, indent=2) + "\n").replace(
        '"b":', '"more": 1,\n  "b":'
    )


def test_an_entry_that_claude_lost_is_put_back_and_so_is_the_predecessors(home: Path) -> None:
    act("record", document(home))
    act("apply", document(home))
    (home / ".claude.json").write_text('{"left": true}\n')
    assert act("apply", document(home))["changed"] is True
    assert list(entries(home)) == ["sentinel"]
    (home / ".claude.json").write_text('{"left": true}\n')
    act("restore", document(home))
    assert json.loads((home / ".claude.json").read_text()) == {"left": True, "mcpServers": {"contextforge": THEIRS}}


def test_a_stdio_entry_of_the_predecessor_gives_way_to_an_http_one_and_comes_back(home: Path) -> None:
    theirs = {"type": "stdio", "command": "docker", "args": ["run", "-i", "wrapper"], "env": {"A": "b"}}
    (home / ".claude.json").write_text(json.dumps({"mcpServers": {"contextforge": theirs}}))
    act("record", document(home))
    act("apply", document(home))
    assert [(name, entry["type"]) for name, entry in entries(home).items()] == [("sentinel", "http")]
    (home / ".claude.json").write_text('{"left": true}\n')
    act("restore", document(home))
    assert entries(home) == {"contextforge": theirs}


def test_a_missing_file_is_made_for_its_owner_only_and_goes_again(home: Path) -> None:
    (home / ".claude.json").unlink()
    act("record", document(home))
    act("apply", document(home))
    assert stat.S_IMODE((home / ".claude.json").stat().st_mode) == 0o600
    assert list(json.loads((home / ".claude.json").read_text())) == ["mcpServers"]
    act("restore", document(home))
    assert not (home / ".claude.json").exists()


def test_the_target_of_a_symbolic_link_is_edited(home: Path) -> None:
    (home / ".claude.json").rename(home / "real.json")
    (home / ".claude.json").symlink_to("real.json")
    act("record", document(home))
    act("apply", document(home))
    assert (home / ".claude.json").is_symlink()
    assert "sentinel" in json.loads((home / "real.json").read_text())["mcpServers"]


@pytest.mark.skipif(os.getuid() != 0, reason="giving files to another user needs root")
def test_file_and_token_belong_to_whom_they_belonged(home: Path) -> None:
    for name in (".claude.json", ".mcp-token"):
        os.chown(home / name, 1001, 1002)
    act("record", document(home))
    act("apply", document(home))
    atomic_file.write(str(home / ".mcp-token"), ours().encode(), 0o600, 0, 0)
    act("apply", document(home))
    assert (home / ".mcp-token").stat().st_uid == 1001
    atomic_file.write(str(home / ".mcp-token"), ours().encode(), 0o600, 0, 0)
    act("forget", document(home))
    for name in (".claude.json", ".mcp-token"):
        assert ((home / name).stat().st_uid, (home / name).stat().st_gid) == (1001, 1002)


@pytest.mark.parametrize(
    ("held", "message", "left"),
    [
        (ours(), "put back", "old\n"),
        (None, "put back", "old\n"),
        ("a-third-one", "kept: it holds a token that is neither the recorded one nor Sentinel's", "a-third-one"),
    ],
    ids=["ours", "gone", "unknown-owners"],
)
def test_the_token_file_comes_back_unless_somebody_else_wrote_it(
    home: Path, held: str | None, message: str, left: str
) -> None:
    act("record", document(home))
    (home / ".mcp-token").unlink()
    if held is not None:
        (home / ".mcp-token").write_text(held)
    assert act("restore", document(home))["token"] == message
    assert (home / ".mcp-token").read_text() == left
    if left == "old\n":
        assert stat.S_IMODE((home / ".mcp-token").stat().st_mode) == 0o400


def test_the_local_scope_stands_below_its_project(home: Path) -> None:
    local = document(home, scope="local", project="/srv/p")
    before = (home / ".claude.json").read_bytes()
    act("record", local)
    act("apply", local)
    known = json.loads((home / ".claude.json").read_text())
    assert list(known["projects"]["/srv/p"]["mcpServers"]) == ["sentinel"]
    assert known["mcpServers"] == AROUND["mcpServers"]
    (home / ".claude.json").write_text((home / ".claude.json").read_text() + "\n")
    act("restore", local)
    assert (home / ".claude.json").read_bytes() == before + b"\n"
