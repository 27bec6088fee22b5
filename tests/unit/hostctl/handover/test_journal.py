"""The journal outlives a kill."""

from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from hostctl.handover.journal import KEPT_ENTRIES, RESERVE, RESERVE_BYTES, Journal

OPENING: dict[str, Any] = {"verb": "cutover", "container": "c", "from": {}, "to": {}, "request": {}}


def test_a_torn_last_line_does_not_count(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    entry = journal.begin(OPENING)
    entry.point("cutover.release.disconnect")
    with (tmp_path / "in-progress.jsonl").open("a") as file:
        file.write('{"point": "cutover.release.disc')
    found = journal.unfinished()
    assert found is not None and [line["point"] for line in found.lines] == ["cutover.release.disconnect"]
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
    journal.begin(OPENING).point("cutover.release.disconnect", container="gateway-1", network="")
    lines = [json.loads(line) for line in (tmp_path / "in-progress.jsonl").read_text().splitlines()]
    assert [line["point"] for line in lines] == ["cutover.begin", "cutover.release.disconnect"]
    assert all(re.fullmatch(r"20..-..-..T..:..:..\.\d{3}Z", line["at"]) for line in lines)


def test_a_forced_handover_is_recorded_until_the_next_one(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    journal.finalize(journal.begin({**OPENING, "request": {"force": True}}), {"active": "contextforge"})
    assert journal.state() == {"active": "contextforge", "force": True}
    journal.finalize(journal.begin({**OPENING, "verb": "stop-predecessor"}), {**journal.state(), "stopped": True})
    assert journal.state()["force"] is True
    journal.finalize(journal.begin({**OPENING, "request": {"force": False}}), {"active": "sentinel"})
    assert journal.state() == {"active": "sentinel"}


def test_a_full_disk_takes_the_reserve_and_no_line_is_torn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk takes half of a line, then nothing until the reserve is gone."""
    journal, write = Journal(str(tmp_path)), os.write
    entry = journal.begin(OPENING)
    reserve = tmp_path / RESERVE
    assert reserve.stat().st_size == RESERVE_BYTES <= reserve.stat().st_blocks * 512
    taken: list[int] = []

    def full(handle: int, content: bytes) -> int:
        if taken and reserve.exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        taken.append(len(content))
        return write(handle, content[: len(content) // 2 + 1])

    monkeypatch.setattr(os, "write", full)
    entry.point("cutover.release.pause")
    assert not reserve.exists() and len(taken) > 2
    found = journal.unfinished()
    assert found is not None and [line["point"] for line in found.lines] == ["cutover.release.pause"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_without_a_reserve_or_on_a_broken_disk_the_write_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    journal = Journal(str(tmp_path))
    entry = journal.begin({**OPENING, "verb": "rollback"} if code == errno.ENOSPC else OPENING)

    def fails(*_: Any) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "write", fails)
    with pytest.raises(OSError, match=os.strerror(code)):
        entry.point("rollback.release")
    assert (tmp_path / RESERVE).exists() is (code == errno.EIO)
