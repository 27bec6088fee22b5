"""Claude's file while another program writes it, a run that is killed, and a file or request that is refused whole."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hostctl.core import atomic_file
from hostctl.core.errors import Refusal
from tests.unit.hostctl.claude_client.cases import AROUND, act, document, entries


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

    def stop(source: str, target: str, **folders: int) -> None:
        if target == os.path.basename(path):
            raise KeyboardInterrupt
        rename(source, target, **folders)

    return stop


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{\n  "a": 1,\n}\n', "is broken JSON at line {2|3}, column"),
        (b"", "is broken JSON at line 1, column 1 (Expecting value): fix it there"),
        (b"[]", "does not hold a JSON object: fix it"),
        (b'{"mcpServers": []}', "'mcpServers' in"),
        (b'{"mcpServers": {}, "mcpServers": {}}', "'mcpServers' occurs twice in"),
        (b'{"a": "\xff"}', "is not UTF-8 at byte 7"),
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
