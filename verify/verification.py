"""`python -m verify verification`: everything that must be true of the gateway that serves, through Claude's own entry.

Owns: putting the looks together: one call a backend, tokens that must be refused, the comparison with the baseline,
and what only the host can say (who has the port, its bindings, whether what runs is what was asked).
Deliberately does not: fix anything, or go back; that is a person's decision.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .claude import Entry, entry
from .client import HttpWay, NoSession, Session, all_failed, ask_all, longest_of, refused, with_session
from .comparison import compared
from .documents import AskedVerification, Baseline
from .names import Active
from .outcome import Outcome
from .reach import HostRefused, Reach

LOOK_SECONDS = 60.0
WRONG_TOKEN = "Bearer sentinel-cutover.is-no.token"

Document = dict[str, Any]


async def verification(asked: AskedVerification) -> Document:
    """The design's document, and more beside it; never raises for what a gateway or the host does."""
    reach = Reach(asked.host)
    firewall = asyncio.create_task(_firewall(reach, asked))
    try:
        look = await reach.hostctl("verification", "inspect", _host_document(asked), LOOK_SECONDS)
    except HostRefused as error:
        look = {"active": "unknown", "holder": "", "bindings": _failed(error), "as_declared": _failed(error)}
    if asked.baseline is None and look.get("baseline"):
        asked = asked.model_copy(update={"baseline": Baseline.model_validate(look["baseline"])})
    found = str(look["active"])
    active: Active = asked.active or ("contextforge" if found == "contextforge" else "sentinel")
    claude, outcomes, tools, tokens = await _through_claude(reach, asked, active)
    if found not in (active, "unknown"):
        claude = {"ok": False, "detail": f"the port is with {look['holder'] or 'nobody'}, asked was {active}"}
    document: Document = {
        "active": active,
        "backends": _rows(asked, outcomes),
        "claude": claude,
        "tokens": tokens,
        "compared": _compared(asked, active, tools, outcomes),
        "bindings": look["bindings"],
        "as_declared": look["as_declared"],
        **await firewall,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return {"ok": _is_good(document), **document}


async def _firewall(reach: Reach, asked: AskedVerification) -> Document:
    """What a container on Docker's default bridge reaches on the host's own addresses, and what that does not show.

    A host on which it cannot be asked is no failure: nothing is known by it then, and that is told.
    """
    if not asked.own_ports:
        return {}
    question = {"ports": list(asked.own_ports), "image_of": asked.gateway}
    try:
        found = await reach.hostctl("firewall", "probe", question, LOOK_SECONDS)
    except HostRefused as error:
        return {"firewall": {"ok": True, "shows": f"nothing, since it could not be asked: {error}"}}
    opened = [f"{one['address']} port {one['port']}" for one in found["open"]]
    told = {key: found[key] for key in ("addresses", "untried", "ports", "shows", "does_not_show")}
    return {"firewall": {"ok": not opened, "open": opened, **told}}


def _host_document(asked: AskedVerification) -> Document:
    return {
        "port": asked.port,
        "health_port": asked.health_port,
        "gateway": asked.gateway,
        "folder": asked.folder,
        "baseline_folder": asked.baseline_folder,
    }


async def _through_claude(
    reach: Reach, asked: AskedVerification, active: Active
) -> tuple[Document, list[Outcome], Mapping[str, str], Document]:
    """Claude's own part: its entry, every backend's outcome, the tools that it is offered, and tokens refused."""
    began = time.monotonic()

    async def work(session: Session) -> tuple[list[Outcome], Mapping[str, str]]:
        return await ask_all(session, active, asked.questions), session.tools

    def failed(error: NoSession, entry_detail: str = "") -> tuple[Document, list[Outcome], Mapping[str, str], Document]:
        ms = round((time.monotonic() - began) * 1000)
        claude = {"ok": False, "detail": entry_detail or error.detail}
        return claude, all_failed(active, asked.questions, error, ms), {}, {"ok": False, "detail": "not asked"}

    try:
        async with asyncio.timeout(asked.limit_seconds), entry(reach, asked.claude[active]) as found:
            outcomes, tools = await with_session(found.way, longest_of(asked.questions), work)
            tokens = await _tokens(found, active)
            return {"ok": True, "entry": found.name, "transport": found.transport}, outcomes, tools, tokens
    except HostRefused as error:
        return failed(NoSession("unreachable", "Claude's entry cannot be used"), str(error))
    except NoSession as error:
        return failed(error)
    except TimeoutError:
        return failed(NoSession("unreachable", f"no answer within {asked.limit_seconds:.0f} s"))


async def _tokens(found: Entry, active: Active) -> Document:
    """A wrong token must be refused, and after the cutover the one with which Claude reached ContextForge."""
    if not isinstance(found.way, HttpWay):
        return {"ok": True, "refused": [], "detail": "not asked: Claude's entry is stdio"}
    wrong = {"wrong": [WRONG_TOKEN], "the predecessor's": list(found.before) if active == "sentinel" else []}
    told: list[str] = []
    for name, values in wrong.items():
        for value in values:
            headers = {key: one for key, one in found.way.headers.items() if key.lower() != "authorization"}
            way = HttpWay(found.way.url, {**headers, "Authorization": value}, found.way.transport)
            if not await refused(way):
                return {"ok": False, "refused": told, "detail": f"{name} token is accepted"}
            told.append(name)
    return {"ok": True, "refused": list(dict.fromkeys(told))}


def _compared(asked: AskedVerification, active: Active, tools: Mapping[str, str], outcomes: list[Outcome]) -> Document:
    """Against the baseline; a tool that is missing counts, what is new, switched off or of another kind is told."""
    if asked.baseline is None or active != "sentinel" or not tools:
        return {"ok": True, "detail": "not compared"}
    found = compared(asked.baseline, tools, asked.questions)
    allowed_failures = _excuses(asked)
    before = {seen.name: seen.kind for seen in asked.baseline.backends if seen.result == "ok"}
    kinds = [
        f"{outcome.name}: {before[outcome.name]} before, {outcome.kind} now"
        for outcome in outcomes
        if outcome.kind and outcome.kind != before.get(outcome.name, outcome.kind)
    ]
    return {
        "ok": not [name for name in found.missing if not allowed_failures[name]],
        "missing": {name: list(names) for name, names in found.missing.items()},
        "switched_off": list(found.switched_off),
        "new": list(found.new),
        "another_schema": list(found.changed),
        "another_kind": kinds,
        "of_no_backend": list(found.foreign),
        "renamed": dict(found.renamed),
    }


def _rows(asked: AskedVerification, outcomes: list[Outcome]) -> list[Document]:
    allowed_failures = _excuses(asked)
    questions = {question.name: question for question in asked.questions}
    rows: list[Document] = []
    for outcome in outcomes:
        row: Document = {"name": outcome.name, "tool": outcome.tool, "result": outcome.result, "ms": outcome.ms}
        if outcome.detail:
            row["detail"] = outcome.detail
        if outcome.result != "ok" and allowed_failures[outcome.name]:
            row["excused"] = allowed_failures[outcome.name]
        elif outcome.result == "ok" and questions[outcome.name].allowed_failure:
            row["detail"] = "declared allowed_failure, and answers"
        rows.append(row)
    return rows


def _excuses(asked: AskedVerification) -> dict[str, str]:
    broken = asked.baseline.broken() if asked.baseline else {}
    return {question.name: question.why_allowed(broken.get(question.name, "")) for question in asked.questions}


def _is_good(document: Document) -> bool:
    backends = all(row["result"] == "ok" or "excused" in row for row in document["backends"])
    return backends and all(document[part]["ok"] for part in PARTS if part in document)


def _failed(error: HostRefused) -> Document:
    return {"ok": False, "detail": str(error)}


PARTS = ("claude", "tokens", "compared", "bindings", "as_declared", "firewall")
"""What must hold beside the backends, in the order in which it is told; the last where it was asked for."""
