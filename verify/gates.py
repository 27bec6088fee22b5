"""`python -m verify gates`: what the warm container must show before it may have the port, gate by gate.

Owns: the gates in their order, each with its limit, and the report of the one that failed.
Deliberately does not: touch the gateway that serves; a container that has the port already is past its gates. On the
way back (`active: contextforge` while ContextForge has not got the port) nothing is asked, since a gate must never
stand in the way of that.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from . import runbook
from .client import HttpWay, NoSession, Session, ask_all, longest_of, refused, with_session
from .comparison import compared
from .documents import AskedGates
from .outcome import Outcome
from .reach import HostRefused, Reach

LOOK_SECONDS = 30.0
WRONG_TOKEN = "sentinel-cutover.is-no.token"


class GateFailed(Exception):
    """What one gate found; the gate itself knows what was expected."""

    def __init__(self, found: str, mend: str) -> None:
        super().__init__(found)
        self.found = found
        self.mend = mend


@dataclass
class Warm:
    """The warm container while it is asked. `tools` is known after the gate `token`, and `token` is never shown."""

    asked: AskedGates
    reach: Reach
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    token: str = ""
    tools: Mapping[str, str] = field(default_factory=dict[str, str])

    async def host(self, word: str, **more: Any) -> dict[str, Any]:
        """One of `hostctl gates`; raises HostRefused."""
        asked = self.asked
        document = {
            "container": asked.container,
            "internal": asked.internal,
            "port": asked.port,
            "health_port": asked.health_port,
            "gateway": asked.gateway,
            "seconds": asked.gate_seconds,
            **more,
        }
        return await self.reach.hostctl("gates", word, document, asked.gate_seconds + LOOK_SECONDS)

    @asynccontextmanager
    async def way(self, token: str) -> AsyncGenerator[HttpWay]:
        """The container at its own address on the internal network, under the name that it will serve as."""
        address, port = str(self.facts["address"]), int(self.facts["inside_port"])
        if not address:
            raise GateFailed(f"it is not on the network {self.asked.internal}", "run again, which joins it")
        headers = {"Authorization": f"Bearer {token}", "Host": f"127.0.0.1:{self.asked.port}"}
        near = "127.0.0.1" if self.reach.is_far() else (f"[{address}]" if ":" in address else address)
        async with self.reach.transport(address, port) as transport:
            yield HttpWay(f"http://{near}:{port}/mcp", headers, transport)


@dataclass(frozen=True)
class Gate:
    """`ask` gives a few words on what it found; `expected` is told when it fails. `limit` in seconds."""

    name: str
    expected: str
    ask: Callable[[Warm], Awaitable[str]]
    limit: Callable[[AskedGates], float] = lambda asked: asked.gate_seconds


async def gates(asked: AskedGates) -> dict[str, Any]:
    """{"ok", "gates": [{"name", "result", "ms", "detail"}], …}; what failed has been told on stderr."""
    warm = Warm(asked, Reach(asked.host))
    try:
        warm.facts = await warm.host("look")
    except HostRefused as error:
        print(f"the warm container cannot be looked at: {error}", file=sys.stderr)
        return {"ok": False, "gates": [], "reason": str(error)}
    reason = _nothing_to_ask(asked, warm.facts)
    if reason:
        print(f"gates: {reason}", file=sys.stderr)
        return {"ok": True, "gates": [], "reason": reason}
    rows: list[dict[str, Any]] = []
    for gate in GATES:
        began = time.monotonic()
        failure = await _asked(gate, warm)
        ms = round((time.monotonic() - began) * 1000)
        passed = not isinstance(failure, GateFailed)
        rows.append(
            {
                "name": gate.name,
                "result": "passed" if passed else "failed",
                "ms": ms,
                "detail": failure.found if isinstance(failure, GateFailed) else failure,
            }
        )
        print(f"gate {gate.name}: {rows[-1]['result']} ({ms} ms): {rows[-1]['detail']}", file=sys.stderr, flush=True)
        if isinstance(failure, GateFailed):
            print(await _report(gate, failure, warm), file=sys.stderr, flush=True)
            return {"ok": False, "gates": rows, "reason": f"gate {gate.name} failed"}
    return {"ok": True, "gates": rows, "reason": ""}


def _nothing_to_ask(asked: AskedGates, facts: Mapping[str, Any]) -> str:
    if facts["serves"]:
        return f"{facts['name']} has the port already"
    if asked.active == "contextforge" and asked.gateway and facts["active"] != "contextforge":
        return "this is the way back, which no gate may hold up"
    return ""


async def _asked(gate: Gate, warm: Warm) -> str | GateFailed:
    limit = gate.limit(warm.asked)
    try:
        async with asyncio.timeout(limit):
            return await gate.ask(warm)
    except GateFailed as failed:
        return failed
    except HostRefused as error:
        return GateFailed(runbook.without_host_link(str(error).splitlines()[0]), "mend that, then run again")
    except NoSession as error:
        return GateFailed(f"{error.result}: {error.detail}", "look at its log, mend the cause, then run again")
    except TimeoutError:
        return GateFailed(f"nothing within {limit:.0f} s", "look at its log, mend the cause, then run again")


async def _report(gate: Gate, failed: GateFailed, warm: Warm) -> str:
    """What an operator needs at the moment of the failure, the container's last lines included, secrets masked."""
    with suppress(HostRefused):
        warm.facts = {**warm.facts, **await warm.host("look")}
    facts = warm.facts
    serving = {
        "contextforge": "ContextForge has not been touched and has the port.",
        "sentinel": f"The Sentinel that serves ({facts['holder']}) has not been touched and has the port.",
    }.get(str(facts["active"]), f"ContextForge has not been touched; the port is with {facts['holder'] or 'nobody'}.")
    lines = [
        f"error: the gate {gate.name} failed: {failed.found} ({runbook.of_gate(gate.name)})",
        f"  expected: {gate.expected}",
        f"  found:    {failed.found}",
        f"  mend:     {failed.mend}",
        f"  The container {facts['name']} stays to be looked at; its log's last lines:",
        *(f"    {line}" for line in str(facts["log"]).splitlines()),
        serving,
    ]
    return "\n".join(lines)


async def _warm(warm: Warm) -> str:
    asked = warm.asked
    document = {"container": asked.container, "limit_seconds": asked.start_seconds}
    try:
        answer = await warm.reach.hostctl("warm", "start", document, asked.start_seconds + LOOK_SECONDS, tell=True)
    except HostRefused as error:
        found = runbook.without_host_link(str(error).splitlines()[0]).split(": read its log")[0]
        raise GateFailed(found, "mend what its log says") from None
    warm.facts = await warm.host("look")
    return f"healthy after {answer['healthy_after_ms']} ms"


async def _migrations(warm: Warm) -> str:
    if not warm.asked.audit:
        return "not asked: sentinel.audit_enabled is false"
    database = warm.asked.database
    found = await warm.host("migrations", postgres=database.container, user=database.user, database=database.database)
    return f"{' and '.join(found['tables'])} are there"


async def _health(warm: Warm) -> str:
    return f"{(await warm.host('health'))['status']}"


async def _token(warm: Warm) -> str:
    await _read_tools(warm)
    async with warm.way(WRONG_TOKEN) as way:
        if not await refused(way):
            raise GateFailed("a wrong token is accepted", "this gateway would serve anybody: do not use this image")
    return "accepted, and a wrong one is refused"


async def _read_tools(warm: Warm) -> None:
    shown = await warm.reach.hostctl("token", "show", {"path": warm.asked.token_file}, LOOK_SECONDS)
    warm.token = str(shown["token"])

    async def tools(session: Session) -> Mapping[str, str]:
        return session.tools

    async with warm.way(warm.token) as way:
        try:
            warm.tools = await with_session(way, warm.asked.gate_seconds, tools)
        except NoSession as error:
            if error.result != "auth":
                raise
            raise GateFailed(
                "the token that was made with the stack's jwt_secret is refused",
                f"the gateway was started with another secret: restart it ('docker restart {warm.facts['name']}'), "
                "then run again",
            ) from None


async def _catalogue(warm: Warm) -> str:
    asked, again = warm.asked, ""
    excuses = _excuses(warm)
    if [question for question in asked.questions if question.tool not in warm.tools and not excuses[question.name]]:
        # The gateway skips for good a backend that it missed at its start, and nobody is served by this one yet.
        await warm.reach.hostctl("warm", "stop", {"container": asked.container}, asked.start_seconds)
        await _warm(warm)
        await _read_tools(warm)
        again = "; restarted once, since a backend had been missed at its start"
    file = {"health_token_file": asked.health_token_file} if asked.health_token_file else {}
    healthy: dict[str, bool] = (await warm.host("metrics", **file))["backends"]
    # The gauge follows a mended backend only after a while, so where a call will be made, the call decides.
    healthy |= {question.name: True for question in asked.questions if not question.needs_internet}
    faults = {
        question.name: "does not offer " + question.tool
        if question.tool not in warm.tools
        else "is unhealthy by sentinel_backend_healthy"
        for question in asked.questions
        if question.tool not in warm.tools or not healthy.get(question.name, True)
    }
    _refuse(warm, faults, "look at the backend ('docker logs' of its container, or the gateway's log), then run again")
    return f"{len(warm.tools)} tools{again}{_excused(warm, faults)}"


async def _tools(warm: Warm) -> str:
    baseline = warm.asked.baseline
    if baseline is None:
        return "not compared: there is no baseline"
    found = compared(baseline, warm.tools, warm.asked.questions)
    faults = {name: "lacks " + ", ".join(tools) for name, tools in found.missing.items()}
    _refuse(warm, faults, "bring the backend's own version to what ContextForge uses, then run again")
    told = [f"{len(found.renamed)} of the baseline under Sentinel's names"]
    told += [f"switched off: {', '.join(found.switched_off)}"] if found.switched_off else []
    told += [f"new: {', '.join(found.new)}"] if found.new else []
    told += [f"another schema: {', '.join(found.changed)}"] if found.changed else []
    told += [f"of no backend of ours: {', '.join(found.foreign)}"] if found.foreign else []
    return "; ".join(told) + _excused(warm, faults)


async def _calls(warm: Warm) -> str:
    questions = [question for question in warm.asked.questions if not question.needs_internet]
    if not questions:
        return "not asked: every backend's call needs the internet"

    async def work(session: Session) -> list[Outcome]:
        return await ask_all(session, "sentinel", questions)

    async with warm.way(warm.token) as way:
        outcomes = await with_session(way, longest_of(questions), work)
    faults = {o.name: f"{o.result}: {o.detail}" for o in outcomes if o.result != "ok"}
    _refuse(warm, faults, "mend the backend, then run again")
    return f"{sum(o.result == 'ok' for o in outcomes)} of {len(questions)} answer as expected{_excused(warm, faults)}"


async def _upstream(warm: Warm) -> str:
    asked = warm.asked
    hosts = sorted({host for question in asked.questions for host in question.upstream_hosts})
    if not hosts:
        return "none is declared"
    found: dict[str, str] = (
        await warm.host("upstream", hosts=hosts, edge=asked.edge, user=asked.user, seconds=asked.upstream_seconds)
    )["unreachable"]
    faults = {
        question.name: "; ".join(f"{host}: {found[host]}" for host in question.upstream_hosts if host in found)
        for question in asked.questions
        if set(question.upstream_hosts) & set(found)
    }
    _refuse(warm, faults, "let the edge network out to it (firewall, DNS), or correct upstream_hosts, then run again")
    return f"{len(hosts) - len(found)} of {len(hosts)} reachable{_excused(warm, faults)}"


def _excuses(warm: Warm) -> dict[str, str]:
    broken = warm.asked.baseline.broken() if warm.asked.baseline else {}
    return {question.name: question.excuse(broken.get(question.name, "")) for question in warm.asked.questions}


def _refuse(warm: Warm, faults: Mapping[str, str], mend: str) -> None:
    """Raises GateFailed for faults that nothing excuses."""
    excuses = _excuses(warm)
    counting = [f"{name} {what}" for name, what in faults.items() if not excuses[name]]
    if counting:
        raise GateFailed("; ".join(counting), mend)


def _excused(warm: Warm, faults: Mapping[str, str]) -> str:
    excuses = _excuses(warm)
    return "".join(f"; {name} {what} ({excuses[name]})" for name, what in faults.items())


GATES = (
    Gate("warm", "the container runs and is healthy", _warm, lambda asked: asked.start_seconds + LOOK_SECONDS),
    Gate("migrations", "the gateway's tables are in its database", _migrations),
    Gate("health", "/health answers 200 on the warm container", _health),
    Gate("token", "the gateway accepts the stack's token and refuses a wrong one", _token),
    Gate(
        "catalogue",
        "every backend's tool is offered",
        _catalogue,
        lambda asked: asked.gate_seconds + 2 * asked.start_seconds + LOOK_SECONDS,
    ),
    Gate("tools", "every tool of the baseline is offered", _tools),
    Gate(
        "calls",
        "one harmless call of every backend that needs no way out is answered as expected",
        _calls,
        lambda asked: asked.gate_seconds + longest_of(asked.questions),
    ),
    Gate(
        "upstream",
        "every upstream host lets a container on the edge network in",
        _upstream,
        lambda asked: asked.gate_seconds + asked.upstream_seconds,
    ),
)
"""In their order: each stands on those before it."""
