"""The gateway that will serve, brought into standby and proven there while the other one serves."""

from __future__ import annotations

import time

from hostctl.core.errors import Refusal
from hostctl.core.timestamps import seconds_of
from hostctl.handover import plans, rollback_gates
from hostctl.handover.answer import Unanswered, await_sentinel_inside, await_standby
from hostctl.handover.change import Change
from hostctl.handover.context import Context
from hostctl.handover.journal import Entry
from hostctl.handover.rollback_gates import Hangs
from hostctl.host.port_holder import CONTEXTFORGE, NOBODY, SENTINEL

EPOCH = "1970-01-01T00:00:00.000Z"
HANGS_SECONDS = 30.0
RECONNECTED_SECONDS = 60.0
"""A connection over a network that ContextForge left is noticed as dead after 25 s, or, where a call waits on it, not
for a quarter of an hour."""
AGAIN_SECONDS = 5.0
"""ContextForge takes 100 requests in a minute and no more."""


def stand_by(context: Context, entry: Entry, change: Change) -> None:
    """Raises Refusal, and then the port has not moved."""
    context.run(entry, change.verb, "standby", change.plan.standby)
    if change.goal.kind == SENTINEL and change.plan.standby:
        await_sentinel_inside(context.engine, context.request, change.goal)
    # Where nobody serves, nothing is lost by a predecessor that answers less than it did.
    if change.goal.kind != CONTEXTFORGE or not change.plan.connect or change.origin.kind == NOBODY:
        return
    entry.point(f"{change.verb}.gates")
    limit = context.request.limits.predecessor_seconds
    if not any(step.action == "start" for step in change.plan.standby):
        try:
            return _prove(context, change, min(limit, HANGS_SECONDS))
        except (Unanswered, Hangs):
            _restart(context, entry, change)
    _prove(context, change, limit)


def _prove(context: Context, change: Change, seconds: float) -> None:
    """Raises Refusal: Unanswered or Hangs of one that runs and does not answer."""
    request = context.request
    place = await_standby(context.engine, request, change.goal, seconds)
    withdrawn = seconds_of(str(context.journal.state().get("at") or EPOCH))
    while request.gates.baseline_folder and not request.force:
        try:
            return rollback_gates.require(place, request.gates)
        except Refusal:
            if time.time() > withdrawn + RECONNECTED_SECONDS:
                raise
            time.sleep(AGAIN_SECONDS)


def _restart(context: Context, entry: Entry, change: Change) -> None:
    """In standby, while the other one serves; once, since the next failure is no hanging connection."""
    world = context.world()
    if world.predecessor is not None:
        context.run(entry, change.verb, "again", plans.restarted(world.predecessor, world, context.request))
