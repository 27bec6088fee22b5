"""`python -m verify gates`: what the standby container must show before it may have the port, gate by gate.

Owns: the gates in their order, each with its limit, and the report of the one that failed.
Deliberately does not: touch the gateway that serves; a container that has the port already is past its gates. On the
rollback (`active: contextforge` while ContextForge has not got the port) nothing is asked, since a gate must never
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

    def __init__(self, found: str, fix: str) -> None:
        super().__init__(found)
        self.found = found
        self.fix = fix


@dataclass
class Standby:
    """The standby container while it is asked. `tools` is known after the gate `token`, and `token` is never shown."""

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
    ask: Callable[[Standby], Awaitable[str]]
    limit: Callable[[AskedGates], float] = lambda asked: asked.gate_seconds


async def gates(asked: AskedGates) -> dict[str, Any]:
    """{"ok", "gates": [{"name", "result", "ms", "detail"}], …}; what failed has been told on stderr."""
    standby = Standby(asked, Reach(asked.host))
    try:
        standby.facts = await standby.host("inspect")
    except HostRefused as error:
        print(f"the standby container cannot be looked at: {error}", file=sys.stderr)
        return {"ok": False, "gates": [], "reason": str(error)}
    reason = _nothing_to_ask(asked, standby.facts)
    if reason:
        print(f"gates: {reason}", file=sys.stderr)
        return {"ok": True, "gates": [], "reason": reason}
    rows: list[dict[str, Any]] = []
    for gate in GATES:
        began = time.monotonic()
        failure = await _asked(gate, standby)
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
            print(await _report(gate, failure, standby), file=sys.stderr, flush=True)
            return {"ok": False, "gates": rows, "reason": f"gate {gate.name} failed"}
    return {"ok": True, "gates": rows, "reason": ""}


def _nothing_to_ask(asked: AskedGates, facts: Mapping[str, Any]) -> str:
    if facts["serves"]:
        return f"{facts['name']} has the port already"
    if asked.active == "contextforge" and asked.gateway and facts["active"] != "contextforge":
        return "this is the rollback, which no gate may hold up"
    return ""


async def _asked(gate: Gate, standby: Standby) -> str | GateFailed:
    limit = gate.limit(standby.asked)
    try:
        async with asyncio.timeout(limit):
            return await gate.ask(standby)
    except GateFailed as failed:
        return failed
    except HostRefused as error:
        return GateFailed(runbook.without_host_link(str(error).splitlines()[0]), "fix that, then run again")
    except NoSession as error:
        return GateFailed(f"{error.result}: {error.detail}", "look at its log, fix the cause, then run again")
    except TimeoutError:
        return GateFailed(f"nothing within {limit:.0f} s", "look at its log, fix the cause, then run again")


async def _report(gate: Gate, failed: GateFailed, standby: Standby) -> str:
    """What an operator needs at the moment of the failure, the container's last lines included, secrets masked."""
    with suppress(HostRefused):
        standby.facts = {**standby.facts, **await standby.host("inspect")}
    facts = standby.facts
    serving = {
        "contextforge": "ContextForge has not been touched and has the port.",
        "sentinel": f"The Sentinel that serves ({facts['holder']}) has not been touched and has the port.",
    }.get(str(facts["active"]), f"ContextForge has not been touched; the port is with {facts['holder'] or 'nobody'}.")
    lines = [
        f"error: the gate {gate.name} failed: {failed.found} ({runbook.of_gate(gate.name)})",
        f"  expected: {gate.expected}",
        f"  found:    {failed.found}",
        f"  fix:     {failed.fix}",
        f"  The container {facts['name']} stays to be looked at; its log's last lines:",
        *(f"    {line}" for line in str(facts["log"]).splitlines()),
        serving,
    ]
    return "\n".join(lines)


async def _standby(standby: Standby) -> str:
    asked = standby.asked
    document = {"container": asked.container, "limit_seconds": asked.start_seconds}
    try:
        answer = await standby.reach.hostctl(
            "sentinel", "start", document, asked.start_seconds + LOOK_SECONDS, tell=True
        )
    except HostRefused as error:
        found = runbook.without_host_link(str(error).splitlines()[0]).split(": read its log")[0]
        raise GateFailed(found, "fix what its log says") from None
    standby.facts = await standby.host("inspect")
    return f"healthy after {answer['healthy_after_ms']} ms"


async def _migrations(standby: Standby) -> str:
    if not standby.asked.audit:
        return "not asked: sentinel.audit_enabled is false"
    database = standby.asked.database
    found = await standby.host(
        "migrations", postgres=database.container, user=database.user, database=database.database
    )
    return f"{' and '.join(found['tables'])} are there"


async def _health(standby: Standby) -> str:
    return f"{(await standby.host('health'))['status']}"


async def _token(standby: Standby) -> str:
    await _read_tools(standby)
    async with standby.way(WRONG_TOKEN) as way:
        if not await refused(way):
            raise GateFailed("a wrong token is accepted", "this gateway would serve anybody: do not use this image")
    return "accepted, and a wrong one is refused"


async def _read_tools(standby: Standby) -> None:
    shown = await standby.reach.hostctl("token", "show", {"path": standby.asked.token_file}, LOOK_SECONDS)
    standby.token = str(shown["token"])

    async def tools(session: Session) -> Mapping[str, str]:
        return session.tools

    async with standby.way(standby.token) as way:
        try:
            standby.tools = await with_session(way, standby.asked.gate_seconds, tools)
        except NoSession as error:
            if error.result != "auth":
                raise
            raise GateFailed(
                "the token that was made with the stack's jwt_secret is refused",
                f"the gateway was started with another secret: restart it ('docker restart {standby.facts['name']}'), "
                "then run again",
            ) from None


async def _catalogue(standby: Standby) -> str:
    asked, again = standby.asked, ""
    allowed_failures = _excuses(standby)
    if [
        question
        for question in asked.questions
        if question.tool not in standby.tools and not allowed_failures[question.name]
    ]:
        # The gateway skips for good a backend that it missed at its start, and nobody is served by this one yet.
        await standby.reach.hostctl("sentinel", "stop", {"container": asked.container}, asked.start_seconds)
        await _standby(standby)
        await _read_tools(standby)
        again = "; restarted once, since a backend had been missed at its start"
    file = {"health_token_file": asked.health_token_file} if asked.health_token_file else {}
    healthy: dict[str, bool] = (await standby.host("metrics", **file))["backends"]
    # The gauge follows a fixed backend only after a while, so where a call will be made, the call decides.
    healthy |= {question.name: True for question in asked.questions if not question.needs_internet}
    faults = {
        question.name: "does not offer " + question.tool
        if question.tool not in standby.tools
        else "is unhealthy by sentinel_backend_healthy"
        for question in asked.questions
        if question.tool not in standby.tools or not healthy.get(question.name, True)
    }
    _refuse(
        standby, faults, "look at the backend ('docker logs' of its container, or the gateway's log), then run again"
    )
    return f"{len(standby.tools)} tools{again}{_excused(standby, faults)}"


async def _tools(standby: Standby) -> str:
    baseline = standby.asked.baseline
    if baseline is None:
        return "not compared: there is no baseline"
    found = compared(baseline, standby.tools, standby.asked.questions)
    faults = {name: "lacks " + ", ".join(tools) for name, tools in found.missing.items()}
    _refuse(standby, faults, "bring the backend's own version to what ContextForge uses, then run again")
    told = [f"{len(found.renamed)} of the baseline under Sentinel's names"]
    told += [f"switched off: {', '.join(found.switched_off)}"] if found.switched_off else []
    told += [f"new: {', '.join(found.new)}"] if found.new else []
    told += [f"another schema: {', '.join(found.changed)}"] if found.changed else []
    told += [f"of no backend of ours: {', '.join(found.foreign)}"] if found.foreign else []
    return "; ".join(told) + _excused(standby, faults)


async def _calls(standby: Standby) -> str:
    questions = [question for question in standby.asked.questions if not question.needs_internet]
    if not questions:
        return "not asked: every backend's call needs the internet"

    async def work(session: Session) -> list[Outcome]:
        return await ask_all(session, "sentinel", questions)

    async with standby.way(standby.token) as way:
        outcomes = await with_session(way, longest_of(questions), work)
    faults = {o.name: f"{o.result}: {o.detail}" for o in outcomes if o.result != "ok"}
    _refuse(standby, faults, "fix the backend, then run again")
    return (
        f"{sum(o.result == 'ok' for o in outcomes)} of {len(questions)} answer as expected{_excused(standby, faults)}"
    )


async def _upstream(standby: Standby) -> str:
    asked = standby.asked
    hosts = sorted({host for question in asked.questions for host in question.upstream_hosts})
    if not hosts:
        return "none is declared"
    found: dict[str, str] = (
        await standby.host("upstream", hosts=hosts, edge=asked.edge, user=asked.user, seconds=asked.upstream_seconds)
    )["unreachable"]
    faults = {
        question.name: "; ".join(f"{host}: {found[host]}" for host in question.upstream_hosts if host in found)
        for question in asked.questions
        if set(question.upstream_hosts) & set(found)
    }
    _refuse(
        standby, faults, "let the edge network out to it (firewall, DNS), or correct upstream_hosts, then run again"
    )
    return f"{len(hosts) - len(found)} of {len(hosts)} reachable{_excused(standby, faults)}"


def _excuses(standby: Standby) -> dict[str, str]:
    broken = standby.asked.baseline.broken() if standby.asked.baseline else {}
    return {question.name: question.why_allowed(broken.get(question.name, "")) for question in standby.asked.questions}


def _refuse(standby: Standby, faults: Mapping[str, str], fix: str) -> None:
    """Raises GateFailed for faults that nothing allowed_failures."""
    allowed_failures = _excuses(standby)
    counting = [f"{name} {what}" for name, what in faults.items() if not allowed_failures[name]]
    if counting:
        raise GateFailed("; ".join(counting), fix)


def _excused(standby: Standby, faults: Mapping[str, str]) -> str:
    allowed_failures = _excuses(standby)
    return "".join(f"; {name} {what} ({allowed_failures[name]})" for name, what in faults.items())


GATES = (
    Gate("standby", "the container runs and is healthy", _standby, lambda asked: asked.start_seconds + LOOK_SECONDS),
    Gate("migrations", "the gateway's tables are in its database", _migrations),
    Gate("health", "/health answers 200 on the standby container", _health),
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
