"""`claude sessions`: the open Claude Code sessions of this host, and which of them a handover leaves without tools.

Owns: the judgement of each by the gateway that served when it began. Claude reads its entry and its tools' names once,
at its start.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hostctl import grace
from hostctl.claude_client.processes import found
from hostctl.claude_client.record import RECORD, owner_of
from hostctl.core import json_file
from hostctl.core.documents import parsed, table
from hostctl.core.timestamps import seconds_of, whole
from hostctl.handover.journal import Journal

SENTINEL, CONTEXTFORGE = "sentinel", "contextforge"
_BY_NAMES = "it calls tools by Sentinel's names, which ContextForge does not have"
_BY_TOKEN = "it has ContextForge's token, which Sentinel no longer accepts"
_BY_WRAPPER = "its entry runs a program in ContextForge's container, which has left the port"


@dataclass(frozen=True)
class SessionsRequest:
    """Claude's file, whose owner runs Claude, and the folders of its record, the handover and the grace period.

    `next` is the gateway that is about to get the port, of which the answer then speaks; `grace_hours` are those that a
    cutover begins.
    """

    file: str
    folder: str
    handovers: str
    grace: str = ""
    next: str = ""
    grace_hours: int = 0


def sessions(request: SessionsRequest) -> dict[str, Any]:
    """{"sessions": [{"pid", "since", "folder", "file", "began_on", "goes_on", "reason"}]}, oldest first."""
    handovers, accepted = served(Journal(request.handovers)), _honoured(request.grace)
    if request.next and request.next != (handovers[-1][1] if handovers else CONTEXTFORGE):
        handovers, accepted = [*handovers, (time.time(), request.next)], request.grace_hours > 0
    answers: list[dict[str, Any]] = []
    for process in sorted(found(owner_of(request.file)[0]), key=lambda process: process.since):
        began_on, reason = judged(process.since, handovers, _ran_a_program(request.folder), accepted)
        facts = {"pid": process.pid, "since": whole(process.since), "folder": process.folder, "file": process.file}
        answers.append({**facts, "began_on": began_on, "goes_on": not reason, "reason": reason})
    return {"sessions": answers}


def served(journal: Journal) -> list[tuple[float, str]]:
    """The time at which each gateway took the port, oldest first, as far as the journal goes back."""
    results = [line["result"] for _, lines in journal.finished() for line in lines if "result" in line]
    times = {str(result["at"]): str(result["active"]) for result in [*results, journal.state()] if result.get("at")}
    return sorted((seconds_of(at), active) for at, active in times.items())


def judged(since: float, handovers: Sequence[tuple[float, str]], program: bool, accepted: bool) -> tuple[str, str]:
    """The gateway that the session began on, and why it needs a restart; empty where it goes on by itself.

    `program`: ContextForge's entry ran one; `accepted`: Sentinel still honours ContextForge's token.
    """
    before = [active for at, active in handovers if at <= since]
    later = [active for at, active in handovers if at > since]
    # The journal forgets: its oldest handover came from the other gateway.
    other = {SENTINEL: CONTEXTFORGE, CONTEXTFORGE: SENTINEL}
    began_on = before[-1] if before else other.get(later[0], later[0]) if later else CONTEXTFORGE
    now = handovers[-1][1] if handovers else began_on
    if program and began_on == CONTEXTFORGE and SENTINEL in later:
        return began_on, _BY_WRAPPER
    if began_on == now:
        return began_on, ""
    if began_on == SENTINEL:
        return began_on, _BY_NAMES
    return began_on, "" if accepted else _BY_TOKEN


def _ran_a_program(folder: str) -> bool:
    """True where the recorded entry of ContextForge's is of the kind stdio."""
    found = table((json_file.read(os.path.join(folder, RECORD)) or {}).get("found"))
    raws = [table(found.get(role)) for role in ("theirs", "ours")]
    return any("command" in (parsed(raw["value"]) or {}) for raw in raws if raw)


def _honoured(folder: str) -> bool:
    """True while the bridge accepts a token of ContextForge's."""
    return max(grace.until(folder).values(), default=0) > time.time()
