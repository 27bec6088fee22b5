"""The handover: check, register the undo, release, connect, wait for the first good answer, finalize."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from hostctl.core import requests
from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.core.timestamps import now
from hostctl.docker.engine import DockerError, Engine
from hostctl.handover import observed, plans, preconditions, report, safe_pause, steps
from hostctl.handover.answer import await_answer
from hostctl.handover.downtime_probe import AFTER, BEFORE, DowntimeProbe
from hostctl.handover.goal import Goal, is_reached, present_holder, read_goal, rollback_goal
from hostctl.handover.journal import Entry, Journal
from hostctl.handover.plans import Plan
from hostctl.handover.request import HandoverRequest
from hostctl.handover.window import Window
from hostctl.host import invoker
from hostctl.host.port_holder import CONTEXTFORGE, NOBODY, SENTINEL

UNDO_TRIES = 4


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


class Handover:
    """One port, from one gateway to another, or back to the one that had it.

    State model, kept in the journal:
    - *in progress* from `_register_undo` on: the entry holds the origin, the goal and a line for each step, written
      before the step is taken.
    - *done*: `_finalize` writes the new state and closes the entry.
    - *undone*: a step failed, the origin serves again. An undo that fails leaves the entry in progress.
    - *finished* or *reversed*: another verb found the entry of a killed run, and `recover` reached its goal or its
      origin. The same verb for the same container resumes the entry instead.
    """

    def __init__(self, engine: Engine, request: HandoverRequest, journal: Journal) -> None:
        self._engine = engine
        self._request = request
        self._journal = journal

    def cutover(self) -> dict[str, Any]:
        """Give the port to the request's container; raises Refusal, and then the previous holder serves again."""
        change = self._check_cutover(self.recover("cutover"))
        if change.unchanged:
            return report.unchanged(self._journal, self._request, change.goal.name, change.unchanged)
        entry = self._register_undo(change)
        with self._undo_on_failure(entry):
            with self._window(entry, change) as window:
                self._release(entry, change, window)
                self._connect(entry, change, window)
                self._await_first_answer(entry, change, window)
            self._finish(entry, change)
        return self._finalize(entry, change, window)

    def rollback(self) -> dict[str, Any]:
        """Give the port to the predecessor; raises Refusal, and then Sentinel serves again."""
        change = self._check_rollback(self.recover("rollback"))
        if change.unchanged:
            return report.unchanged(self._journal, self._request, "", change.unchanged)
        entry = self._register_undo(change)
        with self._undo_on_failure(entry), self._window(entry, change) as window:
            self._release(entry, change, window)
            self._connect(entry, change, window)
            self._await_first_answer(entry, change, window)
        # The predecessor serves by now: a failure below is no reason to take the port from it again.
        self._finish(entry, change)
        return self._finalize(entry, change, window)

    def stop_predecessor(self) -> dict[str, Any]:
        """Stop a paused predecessor."""
        change = self._check_stop_predecessor(self.recover("stop-predecessor"))
        if not change.unchanged:
            entry = self._register_undo(change)
            self._run(entry, change.verb, "prepare", change.plan.prepare)
            self._finish(entry, change)
            self._journal.finalize(entry, {**self._journal.state(), "predecessor_stopped_at": now()})
        status = report.status(self._engine, self._request, self._journal)
        return {**status, "changed": not change.unchanged, "reason": change.unchanged}

    def recover(self, verb: str) -> Entry | None:
        """End what a killed run left in progress; an entry of the same verb and container is returned to be resumed."""
        entry = self._journal.unfinished()
        if entry is None:
            return None
        if entry.opening["verb"] == verb and entry.opening["request"].get("container", "") == self._request.container:
            return self._journal.resume(entry, verb)
        self._engine.wait_until_up(self._request.limits.predecessor_seconds)
        stored = requests.read(HandoverRequest, Document(entry.opening["request"], self._journal.path))
        self._journal.resume(entry, "recover")
        Handover(self._engine, replace(stored, docker_socket=self._request.docker_socket), self._journal)._end(entry)
        return None

    # The steps, in their order.

    def _check_cutover(self, unfinished: Entry | None) -> Change:
        with self._undo_on_refusal(unfinished):
            world = self._world()
            sentinel = preconditions.can_cut_over(self._engine, world, self._request)
        plan = plans.sentinel_serves(world, self._request, sentinel)
        goal = Goal(SENTINEL, sentinel.id, sentinel.name)
        unchanged = plan.reason if plan.is_empty() and unfinished is None else ""
        return Change("cutover", present_holder(world, self._request), goal, plan, unfinished, unchanged)

    def _check_rollback(self, unfinished: Entry | None) -> Change:
        world = self._world()
        goal = rollback_goal(world, self._request)
        plan = self._plan(world, goal)
        unchanged = report.why_not_holder(world, self._request) or (plan.reason if plan.is_empty() else "")
        change = Change("rollback", present_holder(world, self._request), goal, plan, unfinished, unchanged)
        if change.unchanged and unfinished is None:
            return change
        with self._undo_on_refusal(unfinished):
            preconditions.can_roll_back(world, self._request)
        return replace(change, unchanged="")

    def _check_stop_predecessor(self, unfinished: Entry | None) -> Change:
        world = self._world()
        plan = plans.predecessor_stops(world, self._request)
        holder = present_holder(world, self._request)
        unchanged = plan.reason if plan.is_empty() and unfinished is None else ""
        return Change("stop-predecessor", holder, holder, plan, unfinished, unchanged)

    def _register_undo(self, change: Change) -> Entry:
        # The origin that a killed run wrote stays: by now the world no longer shows who served before it.
        if change.unfinished is not None:
            return change.unfinished
        return self._journal.begin(
            {
                "verb": change.verb,
                "container": self._request.container,
                "from": change.origin.document(),
                "to": change.goal.document(),
                "by": invoker.identity(),
                "request": requests.write(self._request),
            }
        )

    @contextmanager
    def _window(self, entry: Entry, change: Change) -> Generator[Window]:
        """The time without an answer, with a probe on the port from before it until after it."""
        window = Window.resuming(entry)
        for step in change.plan.release:
            if step.action == "pause":
                safe_pause.await_quiet(self._engine, step.container)
        with DowntimeProbe(self._request) as probe:
            self._run(entry, change.verb, "prepare", change.plan.prepare)
            probe.wait_for(BEFORE)
            window.began = time.monotonic()
            yield window
            probe.wait_for(AFTER)
        entry.attempts = probe.around(window.began)

    def _release(self, entry: Entry, change: Change, window: Window) -> None:
        self._run(entry, change.verb, "release", change.plan.release)
        window.released = time.monotonic()

    def _connect(self, entry: Entry, change: Change, window: Window) -> None:
        self._run(entry, change.verb, "connect", change.plan.connect)
        window.connected = time.monotonic()

    def _await_first_answer(self, entry: Entry, change: Change, window: Window) -> None:
        entry.point(f"{change.verb}.answer")
        await_answer(self._engine, self._request, change.goal)
        window.answered, window.answered_at = time.monotonic(), now()

    def _finish(self, entry: Entry, change: Change) -> None:
        self._run(entry, change.verb, "finish", change.plan.finish)

    def _finalize(self, entry: Entry, change: Change, window: Window) -> dict[str, Any]:
        result = report.figures(entry, self._request, change.goal, window)
        kept = {
            "container": self._request.container,
            "predecessor": requests.write(self._request.predecessor),
            "by": entry.opening.get("by") or {},
            "attempts": entry.attempts,
        }
        self._journal.finalize(entry, {**result, **kept})
        return result

    # The undo, within the same call.

    @contextmanager
    def _undo_on_failure(self, entry: Entry) -> Generator[None]:
        try:
            yield
        except Exception as failure:
            raise self._undo(entry, failure) from None

    @contextmanager
    def _undo_on_refusal(self, unfinished: Entry | None) -> Generator[None]:
        """Undo a killed run's handover that may not go on; without one the refusal is passed on."""
        try:
            yield
        except Refusal as refusal:
            raise (refusal if unfinished is None else self._undo(unfinished, refusal)) from None

    def _undo(self, entry: Entry, failure: Exception) -> Refusal:
        """Make the origin serve again; the sentence says what failed and who serves now."""
        origin = read_goal(entry.opening["from"])
        reason = report.reason(failure)
        try:
            self._engine.wait_until_up(self._request.limits.predecessor_seconds)
            self._reach_by_tries(entry, origin)
            if entry.opening["verb"] == "rollback":
                # A predecessor that did not come up is stopped, so that the next rollback starts it afresh.
                stopping = plans.predecessor_stops(self._world(), self._request)
                self._run(entry, "undo", "stop", stopping.finish, tolerant=True)
            self._journal.close(entry, "undone")
        except Exception as second:
            return Refusal(
                f"the handover failed ({reason}) and its undo too ({report.reason(second)}); "
                f"{report.serving_now(self._engine, self._request)}: fix that, then run again; "
                f"{self._journal.path} says how far it got"
            )
        holder = f"{origin.name} serves again on port" if origin.name else "as before, nobody holds port"
        return Refusal(f"the handover failed ({reason}); {holder} {self._request.port}: fix the cause, then run again")

    def _end(self, entry: Entry) -> None:
        """Reach the killed run's goal where it serves already, else its origin; the other one where that fails."""
        if entry.opening["verb"] == "stop-predecessor":
            self._run(entry, "recover", "finish", plans.predecessor_stops(self._world(), self._request).finish)
            return self._journal.close(entry, "finished")
        origin, goal = read_goal(entry.opening["from"]), read_goal(entry.opening["to"])
        first, second = (goal, origin) if is_reached(self._world(), self._request, goal) else (origin, goal)
        try:
            self._reach(entry, first)
            reached = first
        except Refusal:
            self._reach(entry, second)
            reached = second
        self._journal.close(entry, "finished" if reached == goal else "reversed")

    def _reach_by_tries(self, entry: Entry, goal: Goal) -> None:
        # A gateway that keeps crashing changes between reading and acting, so each try reads its state again.
        for _ in range(UNDO_TRIES - 1):
            try:
                return self._reach(entry, goal)
            except DockerError:
                self._engine.wait_until_up(self._request.limits.predecessor_seconds)
        self._reach(entry, goal)

    def _reach(self, entry: Entry, goal: Goal) -> None:
        """From the world as it is now to the goal and its answer; raises Refusal."""
        # A pause even where the request says stop: a shutdown would lengthen a downtime that has begun already.
        plan = self._plan(self._world(), goal, release="pause")
        for phase, phase_steps in (("prepare", plan.prepare), ("release", plan.release), ("connect", plan.connect)):
            self._run(entry, "undo", phase, phase_steps, tolerant=True)
        entry.point("undo.answer", tolerant=True)
        await_answer(self._engine, self._request, goal, any_answer=True)
        self._run(entry, "undo", "finish", plan.finish, tolerant=True)

    # Shared by the steps and the undo.

    def _world(self) -> observed.World:
        return observed.read(self._engine, self._request)

    def _plan(self, world: observed.World, goal: Goal, release: str = "") -> Plan:
        request = replace(self._request, release=release or self._request.release)
        if goal.kind == CONTEXTFORGE:
            return plans.predecessor_serves(world, request)
        if goal.kind == NOBODY:
            return plans.nobody_serves(world, request)
        serving = world.gateway(goal.container)
        if serving is None:
            raise Refusal(f"the container {goal.name} is gone")
        return plans.sentinel_serves(world, request, serving)

    def _run(
        self, entry: Entry, verb: str, phase: str, phase_steps: Sequence[steps.Step], tolerant: bool = False
    ) -> None:
        steps.run(self._engine, entry, verb, phase, phase_steps, tolerant)
