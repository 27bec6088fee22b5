"""Preconditions of a retirement: Sentinel has served for long enough, and a restore drill has been good since."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from hostctl.core import json_file
from hostctl.core.documents import table
from hostctl.core.timestamps import seconds_of, whole
from hostctl.handover.journal import Journal

DAY_SECONDS = 86400
RESTORE_DRILL = "nightly/restore-drill.json"
"""Below the product's folder: the last restore drill's result, {"last_good": {"at": …}} where one was good."""


@dataclass(frozen=True)
class Facts:
    """Moments as the host's files have them, "" where there is none."""

    since: str
    restored: str
    unfinished: str

    def document(self) -> dict[str, str]:
        return {"since": self.since, "restored": self.restored}


def read(folder: str) -> Facts:
    """From the product's folder on the host."""
    journal = Journal(os.path.join(folder, "handover"))
    entry = journal.unfinished()
    return Facts(_since(journal), restored_at(folder), "" if entry is None else str(entry.opening["at"]))


def restored_at(folder: str) -> str:
    """The time of the last good restore drill, "" where there is none."""
    result = json_file.read(os.path.join(folder, RESTORE_DRILL)) or {}
    return str(table(result.get("last_good")).get("at") or "")


def refusals(facts: Facts, days: int) -> tuple[list[str], str]:
    """A sentence for each unmet precondition, and the moment from which the days alone would allow it."""
    if facts.unfinished:
        return [f"a handover that began at {facts.unfinished} was cut off: `make up` ends it, then run this again"], ""
    if not facts.since:
        return ["Sentinel has not taken the port over yet, so ContextForge serves: cut over first"], ""
    allowed = seconds_of(facts.since) + days * DAY_SECONDS
    sentences: list[str] = []
    if time.time() < allowed:
        sentences.append(
            f"Sentinel has served without a rollback since {facts.since}, and predecessor.retire_days is {days}: "
            f"allowed from {whole(allowed)}"
        )
    if not facts.restored or seconds_of(facts.restored) < seconds_of(facts.since):
        sentences.append(
            f"no backup of Sentinel's database has passed a restore drill since {facts.since}: allowed from "
            f"{whole(max(allowed, time.time()))}, once a restore drill is good"
        )
    return sentences, whole(allowed)


def _since(journal: Journal) -> str:
    """The time when Sentinel last took over from ContextForge; the oldest kept cutover where that one is not kept."""
    last = journal.state()
    if last.get("active") != "sentinel":
        return ""
    oldest = str(last.get("at", ""))
    for _, (opening, *_) in journal.finished():
        if opening.get("verb") not in ("cutover", "rollback"):
            continue
        oldest = str(opening.get("at", oldest))
        if opening["verb"] == "rollback" or table(opening.get("from")).get("kind") != "sentinel":
            break
    return oldest


def script_note(script: str, names: list[str]) -> str:
    """A sentence when the operator's own script names a container that goes; it is theirs to change."""
    try:
        with open(script, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return ""
    named = [name for name in names if name in text]
    return f"{script} names {', '.join(named)}: remove those lines, which will fail from then on" if named else ""
