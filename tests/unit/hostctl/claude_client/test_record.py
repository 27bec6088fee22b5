"""`claude record|keep|forget`: the record of Claude's former entry and token."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from hostctl.core.errors import Refusal
from tests.unit.hostctl.claude_client.cases import AROUND, act, document, entries, ours


def test_once_the_predecessor_is_retired_neither_its_entry_nor_its_token_comes_back(home: Path) -> None:
    act("record", document(home))
    (home / ".mcp-token").chmod(0o600)
    (home / ".mcp-token").write_text(ours())
    act("apply", document(home))
    message = act("record", document(home, replaces=""))["record"]
    kept = json.loads(Path(message["path"]).read_text())
    assert (kept["found"]["theirs"], kept["token"]) == (None, {"exists": False})
    assert act("apply", document(home, replaces="", record=message))["changed"] is False
    assert not (home / "product" / "claude" / "before.json").exists()
    act("forget", document(home, replaces="", record=message))
    assert entries(home) == {name: entry for name, entry in AROUND["mcpServers"].items() if name != "contextforge"}
    assert not (home / ".mcp-token").exists()


def test_another_place_than_the_recorded_one_is_refused_also_without_a_predecessor(home: Path) -> None:
    act("record", document(home))
    act("apply", document(home))
    for values in ({"replaces": "", "entry": "other"}, {"replaces": "other"}):
        with pytest.raises(Refusal, match="cannot change while Sentinel serves"):
            act("record", document(home, **values))


def test_of_the_record_only_its_path_and_its_hash_leave_the_host_and_no_secret(run: Any, home: Path) -> None:
    content = b"a-token-of-theirs-0123456789\n"
    (home / ".mcp-token").unlink()
    (home / ".mcp-token").write_bytes(content)
    message = [
        run("claude", verb, document=document(home)) for verb in ("record", "record", "apply", "restore", "forget")
    ]
    assert [one.returncode for one in message] == [0] * 5, message
    secrets = ("Bearer", content.decode().strip(), base64.b64encode(content).decode())
    assert not [one for one in message for secret in secrets if secret in one.stdout + one.stderr]
    first, again = (json.loads(one.stdout) for one in message[:2])
    assert first["record"] == again["record"]
    assert first["record"]["path"] == str(home / "product" / "claude" / "record.json")
    assert len(bytes.fromhex(first["record"]["sha256"])) == 32


def test_the_records_hash_stays_while_claudes_file_changes(home: Path) -> None:
    known = act("record", document(home))["record"]
    act("apply", document(home))
    assert act("record", document(home))["record"] == known


def test_a_lost_record_is_reported_with_its_hash_until_the_entry_has_been_put_right_by_hand(home: Path) -> None:
    known = act("record", document(home))["record"]
    act("apply", document(home, record=known))
    with_ours = (home / ".claude.json").read_bytes()
    for left in (home / "product" / "claude").iterdir():
        left.unlink()
    with pytest.raises(Refusal, match=f"sha256 {known['sha256']}.*is gone: put it back from a backup, or take"):
        act("restore", document(home, record=known))
    assert (home / ".claude.json").read_bytes() == with_ours
    (home / ".claude.json").write_text(json.dumps(AROUND))
    assert act("restore", document(home, record=known))["reason"] == "nothing was recorded"
    assert json.loads((home / ".claude.json").read_text()) == AROUND


def test_forgetting_restores_and_leaves_the_program_for_the_sessions_that_are_open(home: Path) -> None:
    before = (home / ".claude.json").read_bytes()
    act("record", document(home))
    act("apply", document(home))
    act("forget", document(home))
    assert (home / ".claude.json").read_bytes() == before
    assert sorted(os.listdir(home / "product" / "claude")) == ["authorizations", "headers", "headers.py"]
    assert act("forget", document(home))["reason"] == "nothing was recorded"


def test_the_record_and_the_copy_are_for_their_owner_only(home: Path) -> None:
    before = (home / ".claude.json").read_bytes()
    act("record", document(home))
    act("apply", document(home))
    for name in ("record.json", "before.json"):
        assert stat.S_IMODE((home / "product" / "claude" / name).stat().st_mode) == 0o600
    assert (home / "product" / "claude" / "before.json").read_bytes() == before


def test_what_the_record_belongs_to_cannot_change_while_sentinel_serves(home: Path) -> None:
    act("record", document(home))
    with pytest.raises(Refusal, match="which cannot change while Sentinel serves: set active to contextforge"):
        act("record", document(home, entry="another"))


def test_applying_without_a_record_is_refused(home: Path) -> None:
    with pytest.raises(Refusal, match="run 'claude record' first"):
        act("apply", document(home))
