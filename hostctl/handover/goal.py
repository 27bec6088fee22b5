"""The state that a handover aims at or returns to: who has the port."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from hostctl.handover.observed import World
from hostctl.handover.request import HandoverRequest
from hostctl.host.port_holder import CONTEXTFORGE, NOBODY


@dataclass(frozen=True)
class Goal:
    """Such as Goal("sentinel", "0a1b…", "gateway-1a2b3c4"); `kind` is sentinel, contextforge or nobody."""

    kind: str
    container: str = ""
    name: str = ""

    def document(self) -> dict[str, Any]:
        return asdict(self)


def read_goal(document: dict[str, Any]) -> Goal:
    return Goal(document["kind"], document["container"], document["name"])


def present_holder(world: World, request: HandoverRequest) -> Goal:
    """The holder now, so that an undo can give the port back."""
    holder = world.holder(request.port)
    return Goal(holder.kind, holder.id, holder.name)


def rollback_goal(world: World, request: HandoverRequest) -> Goal:
    """The predecessor, or nobody where there was none."""
    recorded = request.predecessor.server
    if recorded is None:
        return Goal(NOBODY)
    return Goal(CONTEXTFORGE, world.predecessor.id if world.predecessor else recorded.id, recorded.name)


def is_reached(world: World, request: HandoverRequest, goal: Goal) -> bool:
    """True when the port is where the goal wants it."""
    holder = world.holder(request.port)
    if goal.kind == NOBODY:
        return holder.kind == NOBODY
    return holder.container is not None and holder.id == goal.container and not holder.container.paused
