"""The gates of the standby container in their order: the checks that it passes before it may have the port."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from .arguments import misfit
from .client import Session, all_timeouts, call_all, longest_timeout, refuses_token, with_session
from .comparison import compared
from .documents import GatesRequest
from .names import repeated
from .outcome import Outcome
from .standby import HOST_SECONDS, GateFailed, Standby

PAUSE_SECONDS = 2.0
"""Between two calls of a backend: by then the gateway has restarted, in vain, a server that died of the first one."""
AUDIT_SECONDS = 10.0
"""A gateway without its database holds each row for 5 s before it drops it."""
AUDIT_POLL_SECONDS = 0.25
WRONG_TOKEN = "sentinel-cutover.is-no.token"


@dataclass(frozen=True)
class Gate:
    """`check` returns its finding in a few words; `expected` is reported when it fails. `limit` in seconds."""

    name: str
    expected: str
    check: Callable[[Standby], Awaitable[str]]
    limit: Callable[[GatesRequest], float] = lambda request: request.gate_seconds


async def _standby(standby: Standby) -> str:
    return f"healthy after {await standby.start()} ms"


async def _secrets(standby: Standby) -> str:
    return f"{len((await standby.inspect('secrets'))['files'])} files, none of them empty"


async def _migrations(standby: Standby) -> str:
    return f"{' and '.join((await standby.query('migrations'))['tables'])} exist"


async def _health(standby: Standby) -> str:
    return f"{(await standby.inspect('health'))['status']}"


async def _token(standby: Standby) -> str:
    await standby.read_tools()
    async with standby.endpoint(WRONG_TOKEN) as endpoint:
        if not await refuses_token(endpoint):
            raise GateFailed("a wrong token is accepted", "this gateway would serve anybody: do not use this image")
    return "accepted, and a wrong one is refused"


async def _catalogue(standby: Standby) -> str:
    probes, restarted = standby.request.probes, ""
    why_allowed = standby.why_allowed()
    if [probe for probe in probes if probe.tool not in standby.tools and not why_allowed[probe.name]]:
        # The gateway skips for good a backend that it missed at its start, and this one serves nobody yet.
        await standby.stop()
        await standby.start()
        await standby.read_tools()
        restarted = "; restarted once, since a backend had been missed at its start"
    file = {"health_token_file": standby.request.health_token_file} if standby.request.health_token_file else {}
    healthy: dict[str, bool] = (await standby.inspect("metrics", **file))["backends"]
    # The gauge follows a repaired backend only after a while; where the gate `calls` calls a backend, that decides.
    healthy |= {probe.name: True for probe in probes if not probe.needs_internet}
    faults = {
        probe.name: "does not offer " + probe.tool
        if probe.tool not in standby.tools
        else "is unhealthy by sentinel_backend_healthy"
        for probe in probes
        if probe.tool not in standby.tools or not healthy.get(probe.name, True)
    }
    _refuse(standby, faults, "read the backend's log ('docker logs', or the gateway's log), then run again")
    if twice := repeated([tool.name for tool in standby.offered], [probe.name for probe in probes]):
        raise GateFailed(
            f"two backends have a tool of one name, of which only the first is called: {', '.join(twice)}",
            "rename it in one of them, or take one backend out of the settings, then run again",
        )
    return f"{len(standby.tools)} tools{restarted}{_allowed(standby, faults)}"


async def _tools(standby: Standby) -> str:
    baseline = standby.request.baseline
    if baseline is None:
        return "not compared: there is no baseline"
    comparison = compared(baseline, standby.tools, standby.request.probes)
    standby.names = comparison.named
    faults = {name: "lacks " + ", ".join(tools) for name, tools in comparison.missing.items()}
    _refuse(standby, faults, "bring the backend's own version to what ContextForge uses, then run again")
    parts = [f"{len(comparison.renamed)} of the baseline under Sentinel's names"]
    parts += [f"switched off: {', '.join(comparison.switched_off)}"] if comparison.switched_off else []
    parts += [f"new: {', '.join(comparison.new)}"] if comparison.new else []
    parts += [f"another schema: {', '.join(comparison.changed)}"] if comparison.changed else []
    parts += [f"of no backend of ours: {', '.join(comparison.foreign)}"] if comparison.foreign else []
    return "; ".join(parts) + _allowed(standby, faults)


async def _arguments(standby: Standby) -> str:
    schemas = {tool.name: tool.schema for tool in standby.offered}
    probes = [probe for probe in standby.request.probes if probe.tool in schemas]
    found = {probe.name: misfit(schemas[probe.tool], probe.arguments) for probe in probes}
    faults = {name: f"would refuse its harmless call: {fault}" for name, fault in found.items() if fault}
    _refuse(standby, faults, "correct the backend's arguments in the settings, then run again")
    return f"{len(probes) - len(faults)} of {len(probes)} fit{_allowed(standby, faults)}"


async def _calls(standby: Standby) -> str:
    probes = [probe for probe in standby.request.probes if not probe.needs_internet]
    if not probes:
        return "not checked: every backend's call needs the internet"
    standby.audited = (await standby.query("audit"))["last"]

    async def work(session: Session) -> tuple[list[Outcome], list[Outcome]]:
        first = await call_all(session, "sentinel", probes)
        good = {outcome.name for outcome in first if outcome.result == "ok"}
        await asyncio.sleep(PAUSE_SECONDS)
        return first, await call_all(session, "sentinel", [probe for probe in probes if probe.name in good])

    async with standby.endpoint(standby.token) as endpoint:
        first, again = await with_session(endpoint, longest_timeout(probes), work)
    faults = {o.name: f"{o.result}: {o.detail}" for o in first if o.result != "ok"}
    faults |= {o.name: f"answers once, and then no more: {o.result}: {o.detail}" for o in again if o.result != "ok"}
    _refuse(standby, faults, "fix the backend, then run again")
    standby.calls = Counter(outcome.tool for outcome in (*first, *again) if outcome.result == "ok")
    return f"{len(probes) - len(faults)} of {len(probes)} answer as expected, twice{_allowed(standby, faults)}"


async def _audit(standby: Standby) -> str:
    if not standby.calls:
        return "not checked: no backend was called"
    missing = await _without_rows(standby)
    if not missing:
        return f"{sum(standby.calls.values())} calls have their rows"
    # A gateway loses the rows that wait for a connection which died with a network that it left: it has others by now.
    probes = [probe for probe in standby.request.probes if probe.tool in missing]
    standby.audited = (await standby.query("audit"))["last"]
    async with standby.endpoint(standby.token) as endpoint:
        await with_session(endpoint, longest_timeout(probes), lambda session: call_all(session, "sentinel", probes))
    standby.calls = Counter(probe.tool for probe in probes)
    missing = await _without_rows(standby)
    if missing:
        raise GateFailed(
            f"calls without a row in audit_log after {AUDIT_SECONDS:.0f} s, twice: {', '.join(missing)}",
            "read the gateway's log for 'Failed to write audit log', fix its database, then run again",
        )
    return f"{len(probes)} calls have their rows at the second try"


async def _without_rows(standby: Standby) -> list[str]:
    """The tools that were called more often than the audit log shows, once every row has had its time."""
    end = asyncio.get_running_loop().time() + AUDIT_SECONDS
    while True:
        rows: dict[str, int] = (await standby.query("audit", after=standby.audited))["rows"]
        missing = sorted(tool for tool, calls in standby.calls.items() if rows.get(tool, 0) < calls)
        if not missing or asyncio.get_running_loop().time() > end:
            return missing
        await asyncio.sleep(AUDIT_POLL_SECONDS)


async def _upstream(standby: Standby) -> str:
    request = standby.request
    hosts = sorted({host for probe in request.probes for host in probe.upstream_hosts})
    if not hosts:
        return "no upstream_hosts in the settings"
    answer = await standby.inspect(
        "upstream", hosts=hosts, edge=request.edge, user=request.user, seconds=request.upstream_seconds
    )
    unreachable: dict[str, str] = answer["unreachable"]
    faults = {
        probe.name: "; ".join(f"{host}: {unreachable[host]}" for host in probe.upstream_hosts if host in unreachable)
        for probe in request.probes
        if set(probe.upstream_hosts) & set(unreachable)
    }
    fix = "let the edge network reach it (firewall, DNS), or correct upstream_hosts, then run again"
    _refuse(standby, faults, fix)
    return f"{len(hosts) - len(unreachable)} of {len(hosts)} reachable{_allowed(standby, faults)}"


def _refuse(standby: Standby, faults: Mapping[str, str], fix: str) -> None:
    """Raise GateFailed for the faults of backends that may not fail."""
    why_allowed = standby.why_allowed()
    counting = [f"{name} {fault}" for name, fault in faults.items() if not why_allowed[name]]
    if counting:
        raise GateFailed("; ".join(counting), fix)


def _allowed(standby: Standby, faults: Mapping[str, str]) -> str:
    why_allowed = standby.why_allowed()
    return "".join(f"; {name} {fault} ({why_allowed[name]})" for name, fault in faults.items())


GATES = (
    Gate("secrets", "no secret file of the container is empty", _secrets),
    Gate(
        "standby",
        "the container runs and is healthy",
        _standby,
        lambda request: request.start_seconds + HOST_SECONDS,
    ),
    Gate("migrations", "the gateway's tables are in its database", _migrations),
    Gate("health", "/health answers 200 on the standby container", _health),
    Gate("token", "the gateway accepts the stack's token and refuses a wrong one", _token),
    Gate(
        "catalogue",
        "every backend's tool is offered, and no two backends have a tool of one name",
        _catalogue,
        lambda request: request.gate_seconds + 2 * request.start_seconds + HOST_SECONDS,
    ),
    Gate("tools", "every tool of the baseline is offered", _tools),
    Gate("arguments", "the arguments of every harmless call fit its tool's schema", _arguments),
    Gate(
        "calls",
        "one harmless call of every backend that needs no internet is answered as expected, twice with a pause",
        _calls,
        lambda request: request.gate_seconds + PAUSE_SECONDS + 2 * all_timeouts(request.probes),
    ),
    Gate(
        "audit",
        "every one of these calls has its row in the audit log, at the second try at the latest",
        _audit,
        lambda request: request.gate_seconds + 2 * AUDIT_SECONDS + all_timeouts(request.probes),
    ),
    Gate(
        "upstream",
        "every upstream host is reachable from a container on the edge network",
        _upstream,
        lambda request: request.gate_seconds + request.upstream_seconds,
    ),
)
"""Each relies on those before it."""
