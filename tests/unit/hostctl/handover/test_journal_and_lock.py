"""The journal outlives a kill, and two runs at once are refused by name."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hostctl.core import lock
from hostctl.core.errors import Refusal
from hostctl.handover.journal import KEPT_ENTRIES, Journal

OPENING: dict[str, Any] = {"verb": "cutover", "container": "c", "from": {}, "to": {}, "request": {}}


def test_a_torn_last_line_does_not_count(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    entry = journal.begin(OPENING)
    entry.point("cutover.release.pause")
    with (tmp_path / "in-progress.jsonl").open("a") as file:
        file.write('{"point": "cutover.release.disc')
    found = journal.unfinished()
    assert found is not None and [line["point"] for line in found.lines] == ["cutover.release.pause"]
    journal.resume(found, "cutover").point("cutover.answer")
    again = journal.unfinished()
    assert again is not None and [line["point"] for line in again.lines][1:] == ["cutover.resume", "cutover.answer"]


def test_a_finished_entry_is_kept_and_the_oldest_of_many_go(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    for number in range(KEPT_ENTRIES + 3):
        entry = journal.begin(OPENING)
        entry.opening["at"] = f"2026-11-24T00:00:{number:02d}.000Z"
        journal.finalize(entry, {"active": "sentinel", "number": number})
    assert journal.unfinished() is None
    assert journal.state()["number"] == KEPT_ENTRIES + 2
    kept = sorted(os.listdir(tmp_path / "finished"))
    assert (len(kept), kept[0]) == (KEPT_ENTRIES, "2026-11-24T000003000Z-cutover-done.jsonl")


def test_the_entry_names_no_secret_and_can_be_read_by_line(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    journal.begin(OPENING).point("cutover.release.pause", container="gateway-1", network="")
    lines = [json.loads(line) for line in (tmp_path / "in-progress.jsonl").read_text().splitlines()]
    assert [line["point"] for line in lines] == ["cutover.begin", "cutover.release.pause"]
    assert all(re.fullmatch(r"20..-..-..T..:..:..\.\d{3}Z", line["at"]) for line in lines)


def test_a_second_run_is_refused_with_the_name_of_the_first(tmp_path: Path) -> None:
    pattern = (
        rf"another hostctl \(process {os.getpid()}, handover cutover, since 20.*Z\) holds {tmp_path}/lock: wait until"
    )
    with (
        lock.held(str(tmp_path), "handover cutover"),
        pytest.raises(Refusal, match=pattern),
        lock.held(str(tmp_path), "x"),
    ):
        pytest.fail("the second got the lock")


def test_a_lock_is_free_after_its_holder_ended(tmp_path: Path) -> None:
    with lock.held(str(tmp_path), "one"):
        pass
    with lock.held(str(tmp_path), "two"):
        assert json.loads((tmp_path / "lock").read_text())["reason"] == "two"


def test_a_handover_under_a_lock_changes_nothing(run: Any, tmp_path: Path) -> None:
    document = {
        "docker_socket": "/nowhere", "container": "c", "edge": "e", "internal": "i", "port": 9200,
        "folder": str(tmp_path),
    }  # fmt: skip
    handle = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)
    done = run("handover", "cutover", document=document)
    os.close(handle)
    assert done.returncode == 1 and done.stderr.startswith("hostctl handover cutover: another hostctl holds ")


def test_the_owner_of_the_lock_is_read_without_taking_it(tmp_path: Path) -> None:
    assert lock.owner(str(tmp_path)) is None
    with lock.held(str(tmp_path), "handover rollback"):
        seen = lock.owner(str(tmp_path))
        assert seen is not None and (seen["pid"], seen["reason"]) == (os.getpid(), "handover rollback")
    assert lock.owner(str(tmp_path)) is None


def test_the_program_puts_itself_back_where_it_was_lost_and_replaces_no_other(run: Any, tmp_path: Path) -> None:
    place = tmp_path / "product" / "hostctl.pyz"
    assert json.loads(run("self", "install", document={"path": str(place)}).stdout)["written"] is True
    assert place.stat().st_mode & 0o777 == 0o755
    assert subprocess.run([sys.executable, "-I", "-S", str(place), "--version"], check=False).returncode == 0
    place.write_text("an older one")
    assert json.loads(run("self", "install", document={"path": str(place)}).stdout)["written"] is False
    assert place.read_text() == "an older one"
