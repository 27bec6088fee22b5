"""What must be known before ContextForge may go: since when Sentinel has served, and the last good restore drill.

Owns: reading both from the host's own files, and the sentences of a refusal. Deliberately does not: change anything.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

from hostctl.core.documents import Document, parsed, table
from hostctl.core.timestamps import seconds_of
from hostctl.handover.journal import Journal

DAY_SECONDS = 86400
RESTORE_TEST = "nightly/restore-drill.json"
"""Below the product's folder: what the last restore drill said, {"last_good": {"at": …}} where one was good."""


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
    """When a backup was last restored and found good; the one place that knows where this stands."""
    try:
        with open(os.path.join(folder, RESTORE_TEST), encoding="utf-8") as file:
            said = parsed(file.read()) or {}
    except FileNotFoundError:
        return ""
    return str(table(said.get("last_good")).get("at") or "")


def refusals(facts: Facts, document: Document) -> tuple[list[str], str]:
    """A sentence for each thing that is lacking, and the moment from which days alone would allow it."""
    days = document.whole_number("days")
    if facts.unfinished:
        return [f"a handover that began at {facts.unfinished} was cut off: `make up` ends it, then run this again"], ""
    if not facts.since:
        return ["Sentinel has not taken the port over yet, so ContextForge is what serves: cut over first"], ""
    allowed = seconds_of(facts.since) + days * DAY_SECONDS
    told: list[str] = []
    if time.time() < allowed:
        told.append(
            f"Sentinel has served without a rollback since {facts.since}, and predecessor.retire_days is {days}: "
            f"allowed from {_text(allowed)}"
        )
    if not facts.restored or seconds_of(facts.restored) < seconds_of(facts.since):
        told.append(
            f"no backup of Sentinel's database has been restored as a proof since {facts.since}: allowed from "
            f"{_text(max(allowed, time.time()))}, once a restore drill has said good"
        )
    return told, _text(allowed)


def _since(journal: Journal) -> str:
    """When Sentinel last got the port from somebody else than a Sentinel; of older ones than the journal keeps, the
    oldest that it keeps."""
    last = journal.state()
    if last.get("active") != "sentinel":
        return ""
    oldest = str(last.get("at", ""))
    for opening in _finished(journal):
        if opening.get("verb") not in ("cutover", "rollback"):
            continue
        oldest = str(opening.get("at", oldest))
        if opening["verb"] == "rollback" or table(opening.get("from")).get("kind") != "sentinel":
            break
    return oldest


def _finished(journal: Journal) -> list[dict[str, Any]]:
    """The first line of each finished entry, the newest first."""
    folder = os.path.join(journal.folder, "finished")
    found: list[dict[str, Any]] = []
    for name in sorted(os.listdir(folder), reverse=True) if os.path.isdir(folder) else []:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            opening = parsed(file.readline())
        if opening:
            found.append(opening)
    return found


def _text(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def note_of(script: str, names: list[str]) -> str:
    """A sentence when the operator's own script names a container that goes; it is theirs to change."""
    try:
        with open(script, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return ""
    named = [name for name in names if name in text]
    return f"{script} names {', '.join(named)}: take those lines out, they would fail from then on" if named else ""
