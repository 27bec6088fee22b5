"""The undo of a handover within the same call, and the end of one that was killed."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from hostctl.core.errors import Refusal
from hostctl.docker.engine import DockerError
from hostctl.handover import plans, preconditions, report
from hostctl.handover.answer import await_answer
from hostctl.handover.context import Context
from hostctl.handover.goal import Goal, is_reached, read_goal
from hostctl.handover.journal import Entry

TRIES = 4


@contextmanager
def on_failure(context: Context, entry: Entry) -> Generator[None]:
    try:
        yield
    except Exception as failure:
        raise undone(context, entry, failure) from None


@contextmanager
def on_refusal(context: Context, unfinished: Entry | None) -> Generator[None]:
    """Undo a killed run's handover that may not go on; without one the refusal is passed on."""
    try:
        yield
    except Refusal as refusal:
        raise (refusal if unfinished is None else undone(context, unfinished, refusal)) from None


def undone(context: Context, entry: Entry, failure: Exception) -> Refusal:
    """Make the origin serve again; the sentence says what failed and who serves now."""
    origin = read_goal(entry.opening["from"])
    reason, moved = report.reason(failure), entry.first("release") is not None
    try:
        context.engine.wait_until_up(context.request.limits.predecessor_seconds)
        _reach_by_tries(context, entry, origin)
        context.journal.close(entry, "undone")
    except Exception as second:
        return Refusal(
            f"the handover failed ({reason}) and its undo too ({report.reason(second)}); "
            f"{report.serving_now(context.engine, context.request)}: fix that, then run again; "
            f"{context.journal.path} says how far it got"
        )
    serves, port = "serves again" if moved else "still serves", context.request.port
    holder = f"{origin.name} {serves} on port" if origin.name else "as before, nobody holds port"
    return Refusal(f"the handover failed ({reason}); {holder} {port}: fix the cause, then run again")


def end(context: Context, entry: Entry) -> None:
    """Reach the killed run's goal where it serves already, else its origin; the other one where that fails."""
    if entry.opening["verb"] == "stop-predecessor":
        finish = plans.predecessor_stops(context.world(), context.request).finish
        context.run(entry, "recover", "finish", finish)
        return context.journal.close(entry, "finished")
    origin, goal = read_goal(entry.opening["from"]), read_goal(entry.opening["to"])
    first, second = (goal, origin) if is_reached(context.world(), context.request, goal) else (origin, goal)
    try:
        _reach(context, entry, first)
        reached = first
    except Refusal:
        _reach(context, entry, second)
        reached = second
    context.journal.close(entry, "finished" if reached == goal else "reversed")


def _reach_by_tries(context: Context, entry: Entry, goal: Goal) -> None:
    # A gateway that keeps crashing changes between reading and acting, so each try reads its state again.
    for _ in range(TRIES - 1):
        try:
            return _reach(context, entry, goal)
        except DockerError:
            context.engine.wait_until_up(context.request.limits.predecessor_seconds)
    _reach(context, entry, goal)


def _reach(context: Context, entry: Entry, goal: Goal) -> None:
    """From the world as it is now to the goal and its answer; raises Refusal."""
    plan = context.plan(context.world(), goal)
    for phase in ("standby", "prepare", "aside", "release"):
        context.run(entry, "undo", phase, getattr(plan, phase), tolerant=True)
    if plan.connect:
        preconditions.refuse_held_port(context.engine, context.request, goal)
    context.run(entry, "undo", "connect", plan.connect, tolerant=True)
    entry.point("undo.answer", tolerant=True)
    await_answer(context.engine, context.request, goal, any_answer=True)
    context.run(entry, "undo", "finish", plan.finish, tolerant=True)
