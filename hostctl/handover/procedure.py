"""The handover: check, register the undo, release, connect, wait for the first good answer, finalize.

Owns: that order, the undo within the same call, and finishing or reversing what a killed run left behind.
Deliberately does not: decide the steps (plans) or what is refused (checks).
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.docker import containers
from hostctl.docker.engine import DockerError, Engine
from hostctl.handover import observed, plans, preconditions, report, safe_pause, steps
from hostctl.handover.downtime_probe import AFTER, BEFORE, Watch
from hostctl.handover.journal import Entry, Journal
from hostctl.handover.plans import Plan
from hostctl.handover.port_owner import Goal, goal_of_holder, goal_of_return, read_goal, served_by
from hostctl.handover.request import Request
from hostctl.host import invoker
from hostctl.mcp import initialize

UNDO_TRIES = 4


def cutover(engine: Engine, request: Request, journal: Journal) -> dict[str, Any]:
    """Give the port to the request's container. On a failure the previous holder gets it back, then raises Refusal."""
    left_behind = _recover(engine, request, journal, "cutover")
    try:
        now = observed.read(engine, request)
        sentinel = preconditions.can_take(engine, now, request)
    except Refusal as refusal:
        raise _reversed(engine, request, journal, left_behind, refusal) from None
    plan = plans.sentinel_serves(now, request, sentinel)
    if plan.is_empty() and left_behind is None:
        return report.unchanged(journal, request, sentinel.name, plan.reason)
    goal = Goal("sentinel", sentinel.id, sentinel.name)
    entry = _register_undo(request, journal, "cutover", left_behind, goal_of_holder(now, request), goal)
    try:
        result = _move(engine, request, entry, plan, goal)
        steps.run(engine, entry, "cutover", "finish", plan.finish)
    except Exception as failure:
        raise _undone(engine, request, journal, entry, failure) from None
    return _finalize(journal, entry, request, result)


def rollback(engine: Engine, request: Request, journal: Journal) -> dict[str, Any]:
    """Give the port back. If the predecessor does not come up Sentinel gets it again, then raises Refusal."""
    left_behind = _recover(engine, request, journal, "rollback")
    now = observed.read(engine, request)
    goal = goal_of_return(now, request)
    plan = _plan(now, request, goal)
    reason = report.why_not_given(now, request) or (plan.reason if plan.is_empty() else "")
    if reason and left_behind is None:
        return report.unchanged(journal, request, "", reason)
    try:
        preconditions.can_give(now, request)
    except Refusal as refusal:
        raise _reversed(engine, request, journal, left_behind, refusal) from None
    entry = _register_undo(request, journal, "rollback", left_behind, goal_of_holder(now, request), goal)
    try:
        result = _move(engine, request, entry, plan, goal)
    except Exception as failure:
        raise _undone(engine, request, journal, entry, failure) from None
    steps.run(engine, entry, "rollback", "finish", plan.finish)
    return _finalize(journal, entry, request, result)


def stop_predecessor(engine: Engine, request: Request, journal: Journal) -> dict[str, Any]:
    """Stop a paused predecessor."""
    left_behind = _recover(engine, request, journal, "stop-predecessor")
    now = observed.read(engine, request)
    plan = plans.predecessor_rests(now, request)
    if plan.is_empty() and left_behind is None:
        return {**report.status(engine, request, journal), "changed": False, "reason": plan.reason}
    holder = goal_of_holder(now, request)
    entry = _register_undo(request, journal, "stop-predecessor", left_behind, holder, holder)
    steps.run(engine, entry, "stop-predecessor", "prepare", plan.prepare)
    steps.run(engine, entry, "stop-predecessor", "finish", plan.finish)
    journal.finalize(entry, {**journal.state(), "rested_at": report.now()})
    return {**report.status(engine, request, journal), "changed": True, "reason": ""}


def _recover(engine: Engine, request: Request, journal: Journal, verb: str) -> Entry | None:
    """What a killed run left behind: the same handover is returned to be gone on with, another is ended first."""
    entry = journal.unfinished()
    if entry is None:
        return None
    if entry.opening["verb"] == verb and entry.opening["request"].get("container", "") == request.container:
        return journal.resume(entry, verb)
    engine.wait_until_up(request.predecessor_seconds)
    stored = replace(Request.read(Document(entry.opening["request"])), docker_socket=request.docker_socket)
    journal.resume(entry, "recover")
    if entry.opening["verb"] == "stop-predecessor":
        rest_plan = plans.predecessor_rests(observed.read(engine, stored), stored)
        steps.run(engine, entry, "recover", "finish", rest_plan.finish)
        journal.close(entry, "finished")
        return None
    origin, destination = read_goal(entry.opening["from"]), read_goal(entry.opening["to"])
    first, second = origin, destination
    if served_by(observed.read(engine, stored), stored, destination):
        first, second = destination, origin
    try:
        _reach(engine, stored, entry, first)
        reached = first
    except Refusal:
        _reach(engine, stored, entry, second)
        reached = second
    journal.close(entry, "finished" if reached == destination else "reversed")
    return None


def _register_undo(
    request: Request, journal: Journal, verb: str, left_behind: Entry | None, origin: Goal, destination: Goal
) -> Entry:
    # What a killed run wrote stays: by now the world no longer shows who served before it.
    if left_behind is not None:
        return left_behind
    return journal.begin(
        {
            "verb": verb,
            "container": request.container,
            "from": origin.document(),
            "to": destination.document(),
            "by": invoker.told(),
            "request": {**request.document, "docker_socket": request.docker_socket},
        }
    )


def _move(engine: Engine, request: Request, entry: Entry, plan: Plan, goal: Goal) -> dict[str, Any]:
    verb = entry.opening["verb"]
    # What a killed run wrote: when it took the port away, and that it had its answer already.
    released_before, answered_before = entry.first("release"), entry.first("finish") or entry.first("finalize")
    for step in plan.release:
        if step.action == "pause":
            safe_pause.await_quiet(engine, step.container)
    with Watch(request) as watch:
        steps.run(engine, entry, verb, "prepare", plan.prepare)
        watch.wait_for(BEFORE)
        began = time.monotonic()
        steps.run(engine, entry, verb, "release", plan.release)
        released = time.monotonic()
        steps.run(engine, entry, verb, "connect", plan.connect)
        connected = time.monotonic()
        entry.point(f"{verb}.answer")
        _await_answer(engine, request, goal)
        answered = time.monotonic()
        watch.wait_for(AFTER)
    entry.attempts = watch.around(began)
    moments = (began, released, connected, answered)
    return report.figures(entry, request, goal, moments, released_before, answered_before)


def _await_answer(engine: Engine, request: Request, goal: Goal, after_undo: bool = False) -> None:
    """Wait for the goal's first good answer on the port; raises Refusal."""
    if goal.kind == "nobody":
        return
    sentinel = goal.kind == "sentinel"
    host = f"127.0.0.1:{request.port}"
    path = request.probe_path if sentinel else request.predecessor_path
    target = initialize.Target("127.0.0.1", request.port, path, host, request.token_file if sentinel else "")
    seconds = request.answer_seconds if sentinel else request.predecessor_seconds
    answer = initialize.wait(target, seconds, any_answer=after_undo, between=lambda: _refuse_ended(engine, goal))
    if not answer.good:
        _refuse_ended(engine, goal)
        raise Refusal(f"no good answer from {goal.name} on {host}{path} within {seconds:g} s ({answer.reason})")
    initialize.end_session(target, answer)


def _refuse_ended(engine: Engine, goal: Goal) -> None:
    container = containers.find(engine, goal.container, {})
    if container is None or not container.running or container.restarting:
        code = "" if container is None else f" with exit code {container.exit_code}"
        raise Refusal(f"{goal.name} ended{code} before it answered")


def _undone(engine: Engine, request: Request, journal: Journal, entry: Entry, failure: Exception) -> Refusal:
    """Put back who served before; the sentence of what failed and who serves now."""
    origin = read_goal(entry.opening["from"])
    what = str(failure) if isinstance(failure, Refusal) else report.told(failure)
    try:
        engine.wait_until_up(request.predecessor_seconds)
        _reach_by_tries(engine, request, entry, origin)
        if entry.opening["verb"] == "rollback":
            # A predecessor that did not come up is stopped, so that the next rollback starts it anew.
            left = plans.predecessor_rests(observed.read(engine, request), request)
            steps.run(engine, entry, "undo", "stop", left.finish, tolerant=True)
        journal.close(entry, "undone")
    except Exception as second:
        why = str(second) if isinstance(second, Refusal) else report.told(second)
        serving = report.serving_now(engine, request)
        return Refusal(
            f"the handover failed ({what}) and its undo too ({why}); {serving}: fix that, then run again, "
            f"{journal.path} says how far it came"
        )
    serves = f"{origin.name} serves again on port {request.port}" if origin.name else "as before, nobody holds the port"
    return Refusal(f"the handover failed ({what}); {serves}: fix the cause, then run again")


def _reversed(
    engine: Engine, request: Request, journal: Journal, left_behind: Entry | None, refusal: Refusal
) -> Refusal:
    """A handover that was begun by a killed run and can no longer be finished is reversed."""
    if left_behind is None:
        return refusal
    return _undone(engine, request, journal, left_behind, refusal)


def _reach_by_tries(engine: Engine, request: Request, entry: Entry, goal: Goal) -> None:
    # A gateway that crashes again and again changes between reading and acting; each try reads anew.
    for _ in range(UNDO_TRIES - 1):
        try:
            return _reach(engine, request, entry, goal)
        except DockerError:
            engine.wait_until_up(request.predecessor_seconds)
    _reach(engine, request, entry, goal)


def _reach(engine: Engine, request: Request, entry: Entry, goal: Goal) -> None:
    """Undo or finish: from the world as found to `goal`, whose answer is awaited. Raises Refusal."""
    # The predecessor is only put aside here: an orderly stop would lengthen a gap that is open already.
    request = replace(request, release="pause")
    plan = _plan(observed.read(engine, request), request, goal)
    for phase in ("prepare", "release", "connect"):
        steps.run(engine, entry, "undo", phase, getattr(plan, phase), tolerant=True)
    entry.point("undo.answer", tolerant=True)
    _await_answer(engine, request, goal, after_undo=True)
    steps.run(engine, entry, "undo", "finish", plan.finish, tolerant=True)


def _plan(now: observed.World, request: Request, goal: Goal) -> Plan:
    if goal.kind == "predecessor":
        return plans.predecessor_serves(now, request)
    if goal.kind == "nobody":
        return plans.nobody_serves(now, request)
    serving = now.gateway(goal.container)
    if serving is None:
        raise Refusal(f"the container {goal.name} is gone")
    return plans.sentinel_serves(now, request, serving)


def _finalize(journal: Journal, entry: Entry, request: Request, result: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {
        "container": request.container,
        "predecessor": request.document.get("predecessor"),
        "by": entry.opening.get("by") or {},
        "attempts": entry.attempts,
    }
    journal.finalize(entry, {**result, **kept})
    return result
