"""A checked handover: what it moves from where to where, by which steps; nothing has been touched yet."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hostctl.handover import plans, preconditions, report, standby, undo
from hostctl.handover.context import Context
from hostctl.handover.goal import Goal, present_holder, rollback_goal
from hostctl.handover.journal import Entry
from hostctl.handover.plans import Plan
from hostctl.host.port_holder import SENTINEL


@dataclass(frozen=True)
class Change:
    """A checked handover that may begin; `unfinished` is the entry of a killed run that it resumes."""

    verb: str
    origin: Goal
    goal: Goal
    plan: Plan
    unfinished: Entry | None
    unchanged: str = ""
    """The reason when there is nothing to do."""


def cutover(context: Context, unfinished: Entry | None) -> Change:
    """Raises Refusal."""
    request = context.request
    with undo.on_refusal(context, unfinished):
        world = context.world()
        sentinel = preconditions.can_cut_over(context.engine, world, request)
        goal = Goal(SENTINEL, sentinel.id, sentinel.name)
        plan = context.plan(world, goal)
        if not plan.is_empty():
            standby.ensure(context.engine, request)
            plan = context.plan(context.world(), goal)
    unchanged = plan.reason if plan.is_empty() and unfinished is None else ""
    return Change("cutover", present_holder(world, request), goal, plan, unfinished, unchanged)


def rollback(context: Context, unfinished: Entry | None) -> Change:
    """Raises Refusal."""
    request, world = context.request, context.world()
    goal = rollback_goal(world, request)
    plan = context.plan(world, goal)
    unchanged = report.why_not_holder(world, request) or (plan.reason if plan.is_empty() else "")
    change = Change("rollback", present_holder(world, request), goal, plan, unfinished, unchanged)
    if change.unchanged and unfinished is None:
        return change
    with undo.on_refusal(context, unfinished):
        preconditions.can_roll_back(context.engine, world, request)
        standby.ensure(context.engine, request)
        plan = context.plan(context.world(), goal)
    return replace(change, plan=plan, unchanged="")


def stop_predecessor(context: Context, unfinished: Entry | None) -> Change:
    world = context.world()
    plan = plans.predecessor_stops(world, context.request)
    holder = present_holder(world, context.request)
    unchanged = plan.reason if plan.is_empty() and unfinished is None else ""
    return Change("stop-predecessor", holder, holder, plan, unfinished, unchanged)
