"""A full disk: Claude's file and the token stay whole, with one sentence; a rollback's journal and lock are written."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from hostctl.core import lock
from hostctl.handover.journal import Journal
from tests.unit.hostctl.claude_client.cases import AROUND, SECRET, document

pytestmark = pytest.mark.lab
"""It mounts a file system of its own, so it needs what the lab needs: root, on Linux."""


@pytest.fixture
def full(tmp_path: Path) -> Generator[Path]:
    """A home with Claude's file on a disk that has no byte left."""
    home = tmp_path / "home"
    home.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(home)], check=True)
    try:
        (home / ".claude.json").write_text(json.dumps(AROUND, indent=2) + "\n")
        (home / ".mcp-token").write_text("old\n")
        _fill(home)
        yield home
    finally:
        subprocess.run(["umount", str(home)], check=True)


def _fill(folder: Path) -> None:
    with pytest.raises(OSError, match="No space"), (folder / "filler").open("ab", buffering=0) as filler:
        while True:
            filler.write(b"0" * 4096)


def test_claudes_file_stays_whole_on_a_full_disk(run: Any, full: Path, tmp_path: Path) -> None:
    product = tmp_path / "claude"
    values = document(full, folder=str(product), helper=str(product / "headers"))
    before = {path.name: path.read_bytes() for path in full.iterdir()}
    assert run("claude", "record", document=values).returncode == 0
    done = run("claude", "apply", document=values)
    assert done.returncode == 1
    assert done.stderr.startswith(f"hostctl claude apply: {full}/.claude.json cannot be written (No space left")
    assert len(done.stderr.splitlines()) == 1
    assert {path.name: path.read_bytes() for path in full.iterdir()} == before
    (full / "filler").unlink()
    assert run("claude", "apply", document=values).returncode == 0
    assert run("claude", "restore", document=values).returncode == 0
    assert (full / ".claude.json").read_bytes() == before[".claude.json"]


def test_the_token_stays_whole_on_a_full_disk(run: Any, full: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    values = {
        "path": str(full / ".mcp-token"), "secret_file": str(tmp_path / "secret"),
        "issuer": "i", "audience": "a", "subject": "s", "role": "r", "days": 1,
    }  # fmt: skip
    done = run("token", "write", document=values)
    assert done.returncode == 1 and "cannot be written (No space left" in done.stderr
    assert (full / ".mcp-token").read_text() == "old\n"
    assert sorted(path.name for path in full.iterdir()) == [".claude.json", ".mcp-token", "filler"]


OPENING: dict[str, Any] = {"container": "c", "from": {}, "to": {}, "request": {"pad": "x" * 20000}}


def test_a_rollback_is_journaled_on_a_disk_that_became_full_after_the_cutover(tmp_path: Path) -> None:
    folder = tmp_path / "handover"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=True)
    try:
        journal = Journal(str(folder))
        with lock.held(str(folder), "handover cutover"):
            journal.finalize(journal.begin({**OPENING, "verb": "cutover"}), {"active": "sentinel"})
        _fill(folder)
        with lock.held(str(folder), "handover rollback"):
            entry = journal.begin({**OPENING, "verb": "rollback"})
            for _ in range(40):
                entry.point("rollback.release.pause")
            journal.finalize(entry, {"active": "contextforge"})
        assert journal.state() == {"active": "contextforge"} and journal.unfinished() is None
        with pytest.raises(OSError, match="No space"), lock.held(str(folder), "handover cutover"):
            (folder / "filler").write_bytes(b"")
            _fill(folder)
            journal.begin({**OPENING, "verb": "cutover"})
        assert journal.unfinished() is None
    finally:
        subprocess.run(["umount", str(folder)], check=True)
