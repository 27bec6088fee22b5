"""What a handover answers: its figures, why nothing was done, who serves.

Owns: the answers' documents. Deliberately does not: change anything.
"""

from __future__ import annotations

import time
from typing import Any

from hostctl.core import lock
from hostctl.core.errors import Refusal
from hostctl.core.timestamps import now, seconds_of
from hostctl.docker.containers import Container
from hostctl.docker.engine import Engine
from hostctl.handover import observed
from hostctl.handover.journal import Entry, Journal
from hostctl.handover.port_owner import Goal
from hostctl.handover.request import Request

ACTIVE = {"sentinel": "sentinel", "predecessor": "contextforge", "nobody": "none"}
__all__ = ["figures", "now", "serving_now", "status", "told", "unchanged", "why_not_given"]


def figures(
    entry: Entry,
    request: Request,
    goal: Goal,
    moments: tuple[float, float, float, float],
    released_before: dict[str, Any] | None,
    answered_before: dict[str, Any] | None,
) -> dict[str, Any]:
    """The downtime in milliseconds and its parts.

    After a killed run it counts by the clock from that run's release, up to the point that this run wrote after its
    good answer, or, when it was killed before it had one, up to now.
    """
    began, released, connected, answered = (moment * 1000 for moment in moments)
    downtime = answered - began
    if released_before is not None and "at" in released_before:
        told = (answered_before or {}).get("at")
        end = time.time() if told is None else seconds_of(told)
        downtime = max(downtime, (end - seconds_of(released_before["at"])) * 1000)
    return {
        "changed": True,
        "reason": "",
        "active": ACTIVE[goal.kind],
        "from": entry.opening["from"]["name"],
        "to": goal.name,
        "at": now(),
        "release": request.release,
        "downtime_ms": round(downtime),
        "parts": {
            "release_ms": round(released - began),
            "connect_ms": round(connected - released),
            "answer_ms": round(answered - connected),
        },
    }


def unchanged(journal: Journal, request: Request, name: str, reason: str) -> dict[str, Any]:
    """The answer when there was nothing to do: its reason, and the figures of the handover that brought it about."""
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
        "release": last.get("release", request.release),
        "downtime_ms": last.get("downtime_ms", 0),
        "parts": last.get("parts", {"release_ms": 0, "connect_ms": 0, "answer_ms": 0}),
    }


def why_not_given(now_: observed.World, request: Request) -> str:
    """Why `give` has nothing to do for this container, empty when it has.

    A container on the edge network is the holder even when it has ended; where nobody holds the port the
    predecessor gets it.
    """
    sentinel, holder = now_.sentinel, now_.holder(request.port)
    if sentinel is not None and sentinel.on(request.edge):
        return ""
    other = next((c for c in now_.gateways if c.on(request.edge) and c is not sentinel), None) or holder
    if other is None or (now_.predecessor is not None and other.id == now_.predecessor.id):
        return ""
    return f"this container is not the holder: {other.name} holds port {request.port}"


def status(engine: Engine, request: Request, journal: Journal) -> dict[str, Any]:
    """Who serves; "unfinished" is what a killed run left behind, "busy" who is at work."""
    found = observed.read(engine, request)
    holder = found.holder(request.port)
    entry = journal.unfinished()
    last = journal.state()
    active = "none"
    if found.stranger is not None:
        active = "stranger"
    elif holder is not None and holder.running and not holder.paused:
        active = "sentinel" if found.gateway(holder.id) else "contextforge"
    shown = found.stranger or holder
    return {
        "active": active,
        "holder": None if shown is None else {"name": shown.name, "id": shown.id},
        "predecessor": _predecessor_word(found.predecessor, request.port),
        "sentinel": _sentinel_word(found, request.port),
        "since": last.get("at", "") if last.get("active") == active else "",
        "busy": lock.owner(request.folder),
        "unfinished": None if entry is None else _left_behind(entry),
        "last": {key: last[key] for key in ("at", "from", "to", "downtime_ms", "parts", "release") if key in last},
    }


def serving_now(engine: Engine, request: Request) -> str:
    """Half a sentence on who has the port now."""
    try:
        holder = observed.read(engine, request).holder(request.port)
    except Refusal:
        return "who holds the port cannot be told"
    return f"{holder.name} holds port {request.port}" if holder else f"nobody holds port {request.port}"


def told(failure: Exception) -> str:
    """An unexpected error in words that hold nothing of a document."""
    if isinstance(failure, OSError):
        return f"{failure.strerror or type(failure).__name__}{f' at {failure.filename}' if failure.filename else ''}"
    return f"internal error, {type(failure).__name__}"


def _left_behind(entry: Entry) -> dict[str, Any]:
    last = entry.lines[-1] if entry.lines else entry.opening
    return {"verb": entry.opening["verb"], "at": entry.opening["at"], "point": last["point"]}


def _predecessor_word(predecessor: Container | None, port: int) -> str:
    if predecessor is None:
        return "absent"
    if not predecessor.running:
        return "stopped"
    return "serving" if predecessor.publishes(port) and not predecessor.paused else "paused"


def _sentinel_word(found: observed.World, port: int) -> str:
    if any(gateway.publishes(port) for gateway in found.gateways):
        return "serving"
    return "standby" if found.gateways else "absent"
