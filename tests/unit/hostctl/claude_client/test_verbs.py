"""`claude record|apply|restore|forget` on real files: our entry only, back byte for byte, refused whole."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import jwt
import pytest

from hostctl import claude_client
from hostctl.claude_client.request import EntryRequest
from hostctl.core import atomic_file
from hostctl.core.errors import Refusal

SECRET = "s" * 40
THEIRS = {"type": "http", "url": "http://127.0.0.1:9200/mcp", "headers": {"Authorization": "Bearer old"}}
AROUND: dict[str, Any] = {
    "b": "ä\u2028",
    "a": [1.10, 1e400, {}],
    "mcpServers": {"notes": {"command": "n"}, "contextforge": THEIRS},
}


def document(home: Path, **values: Any) -> dict[str, Any]:
    return {
        "file": str(home / ".claude.json"), "scope": "user", "project": "", "entry": "sentinel",
        "replaces": "contextforge", "authorization": "helper",
        "url": "http://127.0.0.1:9200/mcp", "token_file": str(home / ".mcp-token"), "issuer": "sentinel-gateway",
        "folder": str(home / "product" / "claude"), "helper": str(home / "product" / "claude" / "headers"), **values,
    }  # fmt: skip


def act(verb: str, values: dict[str, Any]) -> dict[str, Any]:
    return getattr(claude_client, verb)(EntryRequest(**values))


def ours() -> str:
    claims = {"iss": "sentinel-gateway", "sub": "claude"}
    return jwt.encode(claims, SECRET, algorithm="HS256") + "\n"


def entries(home: Path) -> dict[str, Any]:
    return json.loads((home / ".claude.json").read_text())["mcpServers"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".claude.json").write_text(json.dumps(AROUND, indent=2) + "\n")
    (tmp_path / ".claude.json").chmod(0o640)
    (tmp_path / ".mcp-token").write_text("old\n")
    (tmp_path / ".mcp-token").chmod(0o400)
    return tmp_path


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


def test_the_helper_prints_the_token_that_the_file_holds_now(home: Path) -> None:
    act("record", document(home))
    act("apply", document(home))
    for token in ("first", "second.of-two_"):
        (home / ".mcp-token").chmod(0o600)
        (home / ".mcp-token").write_text(token + "\n")
        said = subprocess.run([document(home)["helper"]], capture_output=True, text=True, check=True).stdout
        assert json.loads(said) == {"Authorization": f"Bearer {token}"}
    (home / ".mcp-token").write_text('quoted"')
    assert subprocess.run([document(home)["helper"]], capture_output=True).returncode == 1


def test_a_literal_header_follows_the_token(home: Path) -> None:
    literal = document(home, authorization="literal")
    act("record", literal)
    act("apply", literal)
    assert entries(home)["sentinel"]["headers"] == {"Authorization": "Bearer old"}
    (home / ".mcp-token").chmod(0o600)
    (home / ".mcp-token").write_text("new")
    assert act("apply", literal)["changed"] is True
    assert entries(home)["sentinel"]["headers"] == {"Authorization": "Bearer new"}


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


def test_once_the_predecessor_is_retired_neither_its_entry_nor_its_token_comes_back(home: Path) -> None:
    act("record", document(home))
    (home / ".mcp-token").chmod(0o600)
    (home / ".mcp-token").write_text(ours())
    act("apply", document(home))
    message = act("keep", document(home, replaces=""))["record"]
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
            act("keep", document(home, **values))


def test_of_the_record_only_its_path_and_its_hash_leave_the_host_and_no_secret(run: Any, home: Path) -> None:
    literal, content = document(home, authorization="literal"), b"a-token-of-theirs-0123456789\n"
    (home / ".mcp-token").unlink()
    (home / ".mcp-token").write_bytes(content)
    message = [run("claude", verb, document=literal) for verb in ("record", "keep", "apply", "restore", "forget")]
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


def test_forgetting_restores_and_leaves_nothing_of_ours(home: Path) -> None:
    before = (home / ".claude.json").read_bytes()
    act("record", document(home))
    act("apply", document(home))
    act("forget", document(home))
    assert (home / ".claude.json").read_bytes() == before
    assert os.listdir(home / "product") == []
    assert act("forget", document(home))["reason"] == "nothing was recorded"


def test_the_record_and_the_copy_are_for_their_owner_only(home: Path) -> None:
    before = (home / ".claude.json").read_bytes()
    act("record", document(home))
    act("apply", document(home))
    for name in ("record.json", "before.json"):
        assert stat.S_IMODE((home / "product" / "claude" / name).stat().st_mode) == 0o600
    assert (home / "product" / "claude" / "before.json").read_bytes() == before


def test_a_write_between_reading_and_renaming_starts_the_edit_over(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    act("record", document(home))
    write, path = atomic_file.write, str(home / ".claude.json")
    late = [json.dumps(AROUND | {"late": True}), json.dumps(AROUND | {"later": True})]

    def between(target: str, *arguments: Any, **options: Any) -> None:
        if target == path and late:
            (home / ".claude.json").write_text(late.pop(0))
        write(target, *arguments, **options)

    monkeypatch.setattr(atomic_file, "write", between)
    act("apply", document(home))
    assert json.loads((home / ".claude.json").read_text())["later"] is True
    assert list(entries(home)) == ["notes", "sentinel"]
    act("restore", document(home))
    assert (home / ".claude.json").read_text() == json.dumps(AROUND | {"later": True})


def test_a_file_that_never_rests_is_left_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    act("record", document(home))
    write, path, count = atomic_file.write, str(home / ".claude.json"), iter(range(1000))

    def between(target: str, *arguments: Any, **options: Any) -> None:
        if target == path:
            (home / ".claude.json").write_text(json.dumps(AROUND | {"count": next(count)}))
        write(target, *arguments, **options)

    monkeypatch.setattr(atomic_file, "write", between)
    with pytest.raises(Refusal) as refused:
        act("apply", document(home))
    assert str(refused.value) == (
        f"{path} changed 20 times while it was edited: end the running Claude, then run again"
    )
    assert list(entries(home)) == ["notes", "contextforge"]


def test_a_killed_run_between_the_record_and_the_rename_loses_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (home / ".claude.json").read_bytes()
    act("record", document(home))
    with monkeypatch.context() as stopped:
        stopped.setattr(os, "rename", _killed_at(str(home / ".claude.json")))
        with pytest.raises(KeyboardInterrupt):
            act("apply", document(home))
    assert (home / ".claude.json").read_bytes() == before
    assert sorted(one for one in os.listdir(home) if "claude" in one) == [".claude.json"]
    act("apply", document(home))
    act("restore", document(home))
    assert (home / ".claude.json").read_bytes() == before


def _killed_at(path: str) -> Any:
    rename = os.rename

    def stop(source: str, target: str) -> None:
        if target == path:
            raise KeyboardInterrupt
        rename(source, target)

    return stop


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{\n  "a": 1,\n}\n', "is broken JSON at line {2|3}, column"),
        (b"", "is broken JSON at line 1, column 1 (Expecting value): fix it there"),
        (b"[]", "holds no JSON object: fix it"),
        (b'{"mcpServers": []}', "'mcpServers' in"),
        (b'{"mcpServers": {}, "mcpServers": {}}', "'mcpServers' stands twice in"),
        (b'{"a": "\xff"}', "is no UTF-8 at byte 7"),
        (b"[" * 100000, "nested too deeply"),
    ],
    ids=["comma", "empty", "list", "no-object", "twice", "latin-1", "deep"],
)
def test_a_broken_file_is_refused_in_one_sentence_and_left_as_it_is(
    run: Any, home: Path, content: bytes, message: str
) -> None:
    (home / ".claude.json").write_bytes(content)
    done = run("claude", "record", document=document(home))
    assert done.returncode == 1
    assert message.replace("{2|3}", done.stderr.split("line ")[-1][:1]) in done.stderr
    assert done.stderr.count("\n") == 1
    assert "internal error" not in done.stderr
    assert (home / ".claude.json").read_bytes() == content


def test_what_the_record_belongs_to_cannot_change_while_sentinel_serves(home: Path) -> None:
    act("record", document(home))
    with pytest.raises(Refusal, match="which cannot change while Sentinel serves: set active to contextforge"):
        act("keep", document(home, entry="another"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scope": "local"}, "'project' is missing in the document on stdin: give the project's folder"),
        ({"scope": "global"}, "'scope' in the document on stdin must be user, project or local"),
        ({"file": "relative"}, "must be absolute paths"),
        ({"helper": "/elsewhere/headers"}, "'helper' must be a file in"),
    ],
)
def test_a_wrong_document_is_one_sentence(home: Path, change: dict[str, Any], message: str) -> None:
    act("record", document(home))
    with pytest.raises(Refusal) as refused:
        act("apply", document(home, **change))
    assert message in str(refused.value)


def test_applying_without_a_record_is_refused(home: Path) -> None:
    with pytest.raises(Refusal, match="run 'claude record' first"):
        act("apply", document(home))


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
