"""Who shall have the port: Sentinel's container, the predecessor or nobody.

Owns: `Goal`, and reading from the world who has it now. Deliberately does not: know how to get there (plans).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from hostctl.handover.observed import World
from hostctl.handover.request import Request


@dataclass(frozen=True)
class Goal:
    """Such as Goal("sentinel", "0a1b…", "gateway-1a2b3c4"); kind is sentinel, predecessor or nobody."""

    kind: str
    container: str = ""
    name: str = ""

    def document(self) -> dict[str, Any]:
        return asdict(self)


def read_goal(document: dict[str, Any]) -> Goal:
    return Goal(document["kind"], document["container"], document["name"])


def goal_of_holder(world: World, request: Request) -> Goal:
    """Who has the port now, so that an undo can give it back."""
    holder = world.holder(request.port)
    if holder is None:
        return Goal("nobody")
    kind = "sentinel" if world.gateway(holder.id) else "predecessor"
    return Goal(kind, holder.id, holder.name)


def goal_of_return(world: World, request: Request) -> Goal:
    """Who gets the port on the rollback."""
    recorded = request.predecessor.gateway
    if recorded is None:
        return Goal("nobody")
    return Goal("predecessor", world.predecessor.id if world.predecessor else recorded.id, recorded.name)


def served_by(world: World, request: Request, goal: Goal) -> bool:
    """Whether the goal has been reached as far as the port goes."""
    holder = world.holder(request.port)
    if goal.kind == "nobody":
        return holder is None
    return holder is not None and holder.id == goal.container and not holder.paused
