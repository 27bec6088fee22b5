"""`python -m verify verification`: the checks of the gateway that serves, through Claude's own entry.

Owns: one document of all checks: one call per backend, tokens that must be refused, the comparison with the baseline,
and the facts of the host (the port's holder, its bindings, and whether every container runs as declared).
Deliberately does not: fix anything, or roll back; that is the operator's decision.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .claude import entry
from .client import (
    NoSession,
    Session,
    all_failed,
    all_timeouts,
    call_all,
    longest_timeout,
    with_session,
)
from .comparison import compared
from .documents import Baseline, VerificationRequest, why_allowed
from .host import HostConnection, HostRefused
from .names import Active
from .outcome import Outcome
from .tokens import tokens_of

HOST_SECONDS = 60.0

Document = dict[str, Any]


async def verification(request: VerificationRequest) -> Document:
    """The fixed document of `make verify`; never raises for an error of a gateway or of the host."""
    host = HostConnection(request.host)
    firewall = asyncio.create_task(_firewall(host, request))
    facts: Document
    try:
        facts = await host.hostctl("verification", "inspect", _inspect_request(request), HOST_SECONDS)
    except HostRefused as error:
        facts = {"active": "unknown", "holder": "", "bindings": _failed(error), "as_declared": _failed(error)}
    if request.baseline is None and facts.get("baseline"):
        request = request.model_copy(update={"baseline": Baseline.model_validate(facts["baseline"])})
    holder = str(facts["active"])
    active: Active = request.active or ("contextforge" if holder == "contextforge" else "sentinel")
    grace: Mapping[str, float] = facts.get("grace", {}) if active == "sentinel" else {}
    claude, outcomes, tools, tokens = await _through_claude(host, request, active, grace)
    if holder not in (active, "unknown"):
        claude = {"ok": False, "detail": f"the port is with {facts['holder'] or 'nobody'}, expected: {active}"}
    document: Document = {
        "active": active,
        "backends": _rows(request, outcomes),
        "claude": claude,
        "tokens": tokens,
        "compared": _compared(request, active, tools, outcomes),
        "bindings": facts["bindings"],
        "as_declared": facts["as_declared"],
        **await firewall,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return {"ok": _is_good(document), **document}


async def _firewall(host: HostConnection, request: VerificationRequest) -> Document:
    """The ports that a container on Docker's default bridge reaches on the host's addresses, and the probe's limits.

    A host that cannot run the probe is no failure: nothing is known then, which is reported.
    """
    if not request.own_ports:
        return {}
    document = {"ports": list(request.own_ports), "image_of": request.gateway}
    try:
        answer = await host.hostctl("firewall", "probe", document, HOST_SECONDS)
    except HostRefused as error:
        return {"firewall": {"ok": True, "not_checked": f"the probe could not run: {error}"}}
    opened = [f"{connection['address']} port {connection['port']}" for connection in answer["open"]]
    details = {key: answer[key] for key in ("addresses", "untried", "ports", "shows", "does_not_show")}
    guard, holds = await _guard(host, f"{request.folder}/firewall")
    return {"firewall": {"ok": not opened and holds, "open": opened, **guard, **details}}


async def _guard(host: HostConnection, folder: str) -> tuple[Document, bool]:
    """The firewall's rules as packets meet them; nothing where the host has none, or cannot list them."""
    try:
        answer = await host.hostctl("firewall", "guard", {"folder": folder}, HOST_SECONDS)
    except HostRefused as error:
        return {"guard": f"not checked: {error}"}, True
    if not answer:
        return {}, True
    if answer["unmet"]:
        return {"guard": f"does not hold, {len(answer['unmet'])} without effect, first {answer['unmet'][0]}"}, False
    named = ", ".join(answer["interfaces"])
    return {"guard": f"holds: packets on {named} meet the rules of {len(answer['ports'])} ports"}, True


def _inspect_request(request: VerificationRequest) -> Document:
    return {
        "port": request.port,
        "health_port": request.health_port,
        "gateway": request.gateway,
        "folder": request.folder,
        "baseline_folder": request.baseline_folder,
        "every": request.every,
        "grace_folder": request.grace_folder,
    }


async def _through_claude(
    host: HostConnection, request: VerificationRequest, active: Active, grace: Mapping[str, float]
) -> tuple[Document, list[Outcome], Mapping[str, str], Document]:
    """Claude's own part: its entry, every backend's outcome, the tools that it is offered, and tokens refused."""
    began = time.monotonic()

    async def work(session: Session) -> tuple[list[Outcome], Mapping[str, str]]:
        return await call_all(session, active, request.probes), session.tools

    def failed(error: NoSession, entry_detail: str = "") -> tuple[Document, list[Outcome], Mapping[str, str], Document]:
        ms = round((time.monotonic() - began) * 1000)
        claude = {"ok": False, "detail": entry_detail or error.detail}
        return claude, all_failed(active, request.probes, error, ms), {}, {"ok": False, "detail": "not checked"}

    limit = request.limit_seconds + all_timeouts(request.probes)
    try:
        async with asyncio.timeout(limit), entry(host, request.claude[active]) as claude:
            outcomes, tools = await with_session(claude.endpoint, longest_timeout(request.probes), work)
            tokens = await tokens_of(claude, active, grace)
            return {"ok": True, "entry": claude.name, "transport": claude.transport}, outcomes, tools, tokens
    except HostRefused as error:
        return failed(NoSession("unreachable", "Claude's entry cannot be used"), str(error))
    except NoSession as error:
        return failed(error)
    except TimeoutError:
        return failed(NoSession("unreachable", f"no answer within {limit:.0f} s"))


def _compared(
    request: VerificationRequest, active: Active, tools: Mapping[str, str], outcomes: list[Outcome]
) -> Document:
    """The comparison with the baseline: a missing tool counts; a new, changed or switched-off one is only reported."""
    if request.baseline is None or active != "sentinel" or not tools:
        return {"ok": True, "detail": "not compared"}
    comparison = compared(request.baseline, tools, request.probes)
    reasons = why_allowed(request.probes, request.baseline)
    before = {backend.name: backend.kind for backend in request.baseline.backends if backend.result == "ok"}
    kinds = [
        f"{outcome.name}: {before[outcome.name]} before, {outcome.kind} now"
        for outcome in outcomes
        if outcome.kind and outcome.kind != before.get(outcome.name, outcome.kind)
    ]
    return {
        "ok": not [name for name in comparison.missing if not reasons[name]],
        "missing": {name: list(names) for name, names in comparison.missing.items()},
        "switched_off": list(comparison.switched_off),
        "new": list(comparison.new),
        "another_schema": list(comparison.changed),
        "another_kind": kinds,
        "shared": list(comparison.shared),
        "of_no_backend": list(comparison.foreign),
        "renamed": dict(comparison.renamed),
    }


def _rows(request: VerificationRequest, outcomes: list[Outcome]) -> list[Document]:
    reasons = why_allowed(request.probes, request.baseline)
    declared_broken = {probe.name for probe in request.probes if probe.allowed_failure}
    rows: list[Document] = []
    for outcome in outcomes:
        row: Document = {"name": outcome.name, "tool": outcome.tool, "result": outcome.result, "ms": outcome.ms}
        if outcome.detail:
            row["detail"] = outcome.detail
        if outcome.result != "ok" and reasons[outcome.name]:
            row["why_allowed"] = reasons[outcome.name]
        elif outcome.result == "ok" and outcome.name in declared_broken:
            row["detail"] = "declared allowed_failure, and answers"
        rows.append(row)
    return rows


def _is_good(document: Document) -> bool:
    backends = all(row["result"] == "ok" or "why_allowed" in row for row in document["backends"])
    return backends and all(document[part]["ok"] for part in PARTS if part in document)


def _failed(error: HostRefused) -> Document:
    return {"ok": False, "detail": str(error)}


PARTS = ("claude", "tokens", "compared", "bindings", "as_declared", "firewall")
"""The parts that must be ok beside the backends, in the order of the report; `firewall` only where it was requested."""
