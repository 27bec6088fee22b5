"""`python -m verify gates`: runs the gates of the standby container, one after the other, up to the first that fails.

Owns: when gates are skipped, their limits, and the report of a failed one.
Deliberately does not: touch the gateway that serves; a container that has the port already is past its gates. In a
rollback all gates are skipped, since a Sentinel that fails may be its very reason: with `active: contextforge`, while
ContextForge does not have the port, or has it from this container (`make rollback` moves the port before the engine
runs).
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from . import runbook
from .client import NoSession
from .documents import GatesRequest
from .gates import GATES, Gate
from .host import HostConnection, HostRefused
from .standby import GateFailed, Standby


async def run_gates(request: GatesRequest) -> dict[str, Any]:
    """{"ok", "gates": [{"name", "result", "ms", "detail"}], "names", …}; a failure is reported on stderr.

    "names" has Sentinel's name of each tool of the baseline; it is absent where no gate ran.
    """
    standby = Standby(request, HostConnection(request.host))
    try:
        standby.facts = await standby.inspect("inspect")
    except HostRefused as error:
        print(f"the standby container cannot be inspected: {error}", file=sys.stderr)
        return {"ok": False, "gates": [], "reason": str(error)}
    reason = _skipped(request, standby.facts)
    if reason:
        print(f"gates: {reason}", file=sys.stderr)
        return {"ok": True, "gates": [], "reason": reason}
    rows: list[dict[str, Any]] = []
    for gate in GATES:
        began = time.monotonic()
        finding = await _finding(gate, standby)
        ms = round((time.monotonic() - began) * 1000)
        failed = finding if isinstance(finding, GateFailed) else None
        result, detail = ("failed", failed.finding) if failed else ("passed", str(finding))
        rows.append({"name": gate.name, "result": result, "ms": ms, "detail": detail})
        print(f"gate {gate.name}: {result} ({ms} ms): {detail}", file=sys.stderr, flush=True)
        if failed:
            print(await _report(gate, failed, standby), file=sys.stderr, flush=True)
            return {"ok": False, "gates": rows, "reason": f"gate {gate.name} failed"}
    return {"ok": True, "gates": rows, "reason": "", "names": dict(standby.names)}


def _skipped(request: GatesRequest, facts: Mapping[str, Any]) -> str:
    """The reason to skip all gates; empty to run them."""
    if facts["serves"]:
        return f"{facts['name']} has the port already"
    if request.active == "contextforge" and request.gateway and _rolls_back(facts):
        return "this is the rollback, which no gate may delay"
    return ""


def _rolls_back(facts: Mapping[str, Any]) -> bool:
    return facts["active"] != "contextforge" or bool(facts["rolled_back"])


async def _finding(gate: Gate, standby: Standby) -> str | GateFailed:
    limit = gate.limit(standby.request)
    try:
        async with asyncio.timeout(limit):
            return await gate.check(standby)
    except GateFailed as failed:
        return failed
    except HostRefused as error:
        return GateFailed(runbook.without_host_link(str(error).splitlines()[0]), "fix that, then run again")
    except NoSession as error:
        return GateFailed(f"{error.result}: {error.detail}", "read its log, fix the cause, then run again")
    except TimeoutError:
        return GateFailed(f"no answer within {limit:.0f} s", "read its log, fix the cause, then run again")


async def _report(gate: Gate, failed: GateFailed, standby: Standby) -> str:
    """The failure for an operator, with the container's last lines, in which secrets are masked."""
    with suppress(HostRefused):
        standby.facts = {**standby.facts, **await standby.inspect("inspect")}
    facts = standby.facts
    serving = {
        "contextforge": "ContextForge has not been touched and has the port.",
        "sentinel": f"The Sentinel that serves ({facts['holder']}) has not been touched and has the port.",
    }.get(str(facts["active"]), f"ContextForge has not been touched; the port is with {facts['holder'] or 'nobody'}.")
    lines = [
        f"error: the gate {gate.name} failed: {failed.finding} ({runbook.of_gate(gate.name)})",
        f"  expected: {gate.expected}",
        f"  found:    {failed.finding}",
        f"  fix:      {failed.fix}",
        f"  The container {facts['name']} is kept for inspection; the last lines of its log:",
        *(f"    {line}" for line in str(facts["log"]).splitlines()),
        serving,
    ]
    return "\n".join(lines)
