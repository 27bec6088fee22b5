"""The gates of the standby container in their order: the checks that it passes before it may have the port.

Owns: each gate's check and limit. Deliberately does not: run them or report (`verify/gates_run.py`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from .client import Session, call_all, longest_timeout, refuses_token, with_session
from .comparison import compared
from .documents import GatesRequest
from .outcome import Outcome
from .standby import HOST_SECONDS, GateFailed, Standby

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


async def _migrations(standby: Standby) -> str:
    if not standby.request.audit:
        return "not checked: sentinel.audit_enabled is false"
    database = standby.request.database
    answer = await standby.inspect(
        "migrations", postgres=database.container, user=database.user, database=database.database
    )
    return f"{' and '.join(answer['tables'])} exist"


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
    return f"{len(standby.tools)} tools{restarted}{_allowed(standby, faults)}"


async def _tools(standby: Standby) -> str:
    baseline = standby.request.baseline
    if baseline is None:
        return "not compared: there is no baseline"
    comparison = compared(baseline, standby.tools, standby.request.probes)
    faults = {name: "lacks " + ", ".join(tools) for name, tools in comparison.missing.items()}
    _refuse(standby, faults, "bring the backend's own version to what ContextForge uses, then run again")
    parts = [f"{len(comparison.renamed)} of the baseline under Sentinel's names"]
    parts += [f"switched off: {', '.join(comparison.switched_off)}"] if comparison.switched_off else []
    parts += [f"new: {', '.join(comparison.new)}"] if comparison.new else []
    parts += [f"another schema: {', '.join(comparison.changed)}"] if comparison.changed else []
    parts += [f"of no backend of ours: {', '.join(comparison.foreign)}"] if comparison.foreign else []
    return "; ".join(parts) + _allowed(standby, faults)


async def _calls(standby: Standby) -> str:
    probes = [probe for probe in standby.request.probes if not probe.needs_internet]
    if not probes:
        return "not checked: every backend's call needs the internet"

    async def work(session: Session) -> list[Outcome]:
        return await call_all(session, "sentinel", probes)

    async with standby.endpoint(standby.token) as endpoint:
        outcomes = await with_session(endpoint, longest_timeout(probes), work)
    faults = {o.name: f"{o.result}: {o.detail}" for o in outcomes if o.result != "ok"}
    _refuse(standby, faults, "fix the backend, then run again")
    return f"{sum(o.result == 'ok' for o in outcomes)} of {len(probes)} answer as expected{_allowed(standby, faults)}"


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
        "every backend's tool is offered",
        _catalogue,
        lambda request: request.gate_seconds + 2 * request.start_seconds + HOST_SECONDS,
    ),
    Gate("tools", "every tool of the baseline is offered", _tools),
    Gate(
        "calls",
        "one harmless call of every backend that needs no internet is answered as expected",
        _calls,
        lambda request: request.gate_seconds + longest_timeout(request.probes),
    ),
    Gate(
        "upstream",
        "every upstream host is reachable from a container on the edge network",
        _upstream,
        lambda request: request.gate_seconds + request.upstream_seconds,
    ),
)
"""Each relies on those before it."""
