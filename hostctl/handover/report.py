"""The answers of the handover's verbs: figures, the reason of a no-op, the status."""

from __future__ import annotations

from typing import Any

from hostctl.core import lock
from hostctl.core.documents import table
from hostctl.core.errors import Refusal
from hostctl.docker.containers import Container
from hostctl.docker.engine import Engine
from hostctl.handover import observed
from hostctl.handover.goal import Goal
from hostctl.handover.journal import Entry, Journal
from hostctl.handover.request import HandoverRequest
from hostctl.handover.window import Window
from hostctl.host.port_holder import NOBODY

__all__ = ["figures", "reason", "serving_now", "status", "unchanged", "why_not_holder"]


def figures(entry: Entry, request: HandoverRequest, goal: Goal, window: Window) -> dict[str, Any]:
    """The downtime in milliseconds and its parts."""
    return {
        "changed": True,
        "reason": "",
        "active": goal.kind,
        "from": entry.opening["from"]["name"],
        "to": goal.name,
        "at": window.answered_at,
        "keep": request.keep,
        "downtime_ms": window.downtime_ms(),
        "parts": window.parts(),
    }


def unchanged(journal: Journal, request: HandoverRequest, name: str, reason: str) -> dict[str, Any]:
    """The answer of a no-op: its reason, and the figures of the handover that brought the present state about."""
    last = journal.state()
    if last.get("container") != request.container:
        last = {}
    return {
        "changed": False,
        "reason": reason,
        "active": last.get("active", ""),
        "from": last.get("from", ""),
        "to": last.get("to", name),
        "at": last.get("at", ""),
        "keep": last.get("keep", request.keep),
        "downtime_ms": last.get("downtime_ms", 0),
        "parts": last.get("parts", Window().parts()),
    }


def why_not_holder(world: observed.World, request: HandoverRequest) -> str:
    """The reason why a rollback of this container has nothing to do, empty when it has.

    A container on the edge network counts as the holder even when it has ended; where nobody holds the port the
    predecessor gets it.
    """
    sentinel, holder = world.sentinel, world.holder(request.port).container
    if sentinel is not None and sentinel.on(request.edge):
        return ""
    other = next((c for c in world.gateways if c.on(request.edge) and c is not sentinel), None) or holder
    if other is None or (world.predecessor is not None and other.id == world.predecessor.id):
        return ""
    return f"this container is not the holder: {other.name} holds port {request.port}"


def status(engine: Engine, request: HandoverRequest, journal: Journal) -> dict[str, Any]:
    """The holder and both gateways; "unfinished" is a killed run's entry, "busy" the run that is at work."""
    world = observed.read(engine, request)
    intruder, holder = world.intruder(request.port), world.holder(request.port)
    shown = holder if intruder.kind == NOBODY else intruder
    serves = shown.container is None or (shown.container.running and not shown.container.paused)
    active = shown.kind if serves or not shown.is_ours else NOBODY
    entry, last = journal.unfinished(), journal.state()
    state = _predecessor_state(world.predecessor, request.port)
    return {
        "active": active,
        "holder": shown.document(),
        "predecessor": state,
        "predecessor_memory_mb": _memory_mb(engine, world.predecessor) if state == "standby" else 0,
        "sentinel": _sentinel_state(world, request.port),
        "since": last.get("at", "") if last.get("active") == active else "",
        "busy": lock.owner(request.folder),
        "unfinished": None if entry is None else _unfinished(entry),
        "last": {key: last[key] for key in ("at", "from", "to", "downtime_ms", "parts", "keep") if key in last},
    }


def serving_now(engine: Engine, request: HandoverRequest) -> str:
    """The present holder, as a clause."""
    try:
        holder = observed.read(engine, request).holder(request.port)
    except Refusal:
        return "the port's holder is unknown"
    return f"{holder.name or 'nobody'} holds port {request.port}"


def reason(failure: Exception) -> str:
    """A failure in one phrase, without any value of a document."""
    if isinstance(failure, Refusal):
        return str(failure)
    if isinstance(failure, OSError):
        return f"{failure.strerror or type(failure).__name__}{f' at {failure.filename}' if failure.filename else ''}"
    return f"internal error, {type(failure).__name__}"


def _unfinished(entry: Entry) -> dict[str, Any]:
    last = entry.lines[-1] if entry.lines else entry.opening
    return {"verb": entry.opening["verb"], "at": entry.opening["at"], "point": last["point"]}


def _memory_mb(engine: Engine, container: Container | None) -> int:
    """Without the page cache that the kernel takes back, as `docker stats` counts."""
    if container is None:
        return 0
    memory = table(engine.get(f"/containers/{container.id}/stats?stream=false&one-shot=true").get("memory_stats"))
    cache = table(memory.get("stats"))
    return round((memory.get("usage", 0) - cache.get("total_inactive_file", cache.get("inactive_file", 0))) / 2**20)


def _predecessor_state(predecessor: Container | None, port: int) -> str:
    if predecessor is None:
        return "absent"
    if not predecessor.running:
        return "stopped"
    if predecessor.paused:
        return "paused"
    return "serving" if predecessor.publishes(port) else "standby"


def _sentinel_state(world: observed.World, port: int) -> str:
    if any(gateway.publishes(port) for gateway in world.gateways):
        return "serving"
    return "standby" if world.gateways else "absent"
