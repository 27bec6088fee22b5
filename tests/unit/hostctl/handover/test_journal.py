"""The journal outlives a kill."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

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


def test_a_forced_handover_is_recorded_until_the_next_one(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    journal.finalize(journal.begin({**OPENING, "request": {"force": True}}), {"active": "contextforge"})
    assert journal.state() == {"active": "contextforge", "force": True}
    journal.finalize(journal.begin({**OPENING, "verb": "stop-predecessor"}), {**journal.state(), "stopped": True})
    assert journal.state()["force"] is True
    journal.finalize(journal.begin({**OPENING, "request": {"force": False}}), {"active": "sentinel"})
    assert journal.state() == {"active": "sentinel"}
