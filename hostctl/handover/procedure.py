"""The handover: check, register the undo, bring the gateway that will serve into standby and prove it there, drain the
other one, release, connect, wait for the first good answer, finalize."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from hostctl import grace
from hostctl.core import requests
from hostctl.core.documents import Document
from hostctl.core.timestamps import now
from hostctl.docker.engine import DockerError, Engine
from hostctl.handover import change as changes
from hostctl.handover import drain, held_connections, preconditions, readiness, report, undo
from hostctl.handover.answer import await_answer
from hostctl.handover.change import Change
from hostctl.handover.context import Context
from hostctl.handover.downtime_probe import AFTER, BEFORE, DowntimeProbe
from hostctl.handover.journal import Entry, Journal
from hostctl.handover.request import HandoverRequest
from hostctl.handover.window import Window
from hostctl.host import invoker
from hostctl.host.port_holder import CONTEXTFORGE, SENTINEL


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
        self._context = Context(engine, request, journal)
        self._engine = engine
        self._request = request
        self._journal = journal

    def cutover(self) -> dict[str, Any]:
        """Give the port to the request's container; raises Refusal, and then the previous holder serves again."""
        change = changes.cutover(self._context, self.recover("cutover"))
        if change.unchanged:
            return report.unchanged(self._journal, self._request, change.goal.name, change.unchanged)
        entry = self._register_undo(change)
        with undo.on_failure(self._context, entry):
            window = self._move(entry, change)
            self._finish(entry, change)
        self._renew(entry, change)
        return self._finalize(entry, change, window)

    def rollback(self) -> dict[str, Any]:
        """Give the port to the predecessor; raises Refusal, and then Sentinel serves again."""
        change = changes.rollback(self._context, self.recover("rollback"))
        if change.unchanged:
            return report.unchanged(self._journal, self._request, "", change.unchanged)
        entry = self._register_undo(change)
        with undo.on_failure(self._context, entry):
            window = self._move(entry, change)
        # The predecessor serves by now: a failure below is no reason to take the port from it again.
        self._finish(entry, change)
        self._renew(entry, change)
        return self._finalize(entry, change, window)

    def stop_predecessor(self) -> dict[str, Any]:
        """Stop a predecessor that is in standby."""
        change = changes.stop_predecessor(self._context, self.recover("stop-predecessor"))
        if not change.unchanged:
            entry = self._register_undo(change)
            self._context.run(entry, change.verb, "prepare", change.plan.prepare)
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
        stored = replace(stored, docker_socket=self._request.docker_socket)
        undo.end(Context(self._engine, stored, self._journal), self._journal.resume(entry, "recover"))
        return None

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

    def _move(self, entry: Entry, change: Change) -> Window:
        readiness.stand_by(self._context, entry, change)
        self._drain(entry, change)
        with self._window(entry, change) as window:
            with self._held(change):
                self._release(entry, change, window)
                self._connect(entry, change, window)
            self._await_first_answer(entry, change, window)
        return window

    def _drain(self, entry: Entry, change: Change) -> None:
        """The calls under way may end; from here on the goal honours what the origin's clients have."""
        entry.point(f"{change.verb}.drain")
        if change.goal.kind == SENTINEL and change.origin.kind == CONTEXTFORGE and self._request.grace.folder:
            grace.begin(self._request.grace)
        drain.wait(self._context, change.origin)

    @contextmanager
    def _window(self, entry: Entry, change: Change) -> Generator[Window]:
        """The time without an answer, with a probe on the port from before it until after it."""
        window = Window.resuming(entry)
        with DowntimeProbe(self._request) as probe:
            self._context.run(entry, change.verb, "prepare", change.plan.prepare)
            if change.plan.aside:
                with self._held(change):
                    self._context.run(entry, change.verb, "aside", change.plan.aside)
            probe.wait_for(BEFORE)
            yield window
            probe.wait_for(AFTER)
        entry.attempts = probe.around(window.began)

    @contextmanager
    def _held(self, change: Change) -> Generator[None]:
        """While Docker takes the port off a network: the calls under way have ended, and new connections wait."""
        with held_connections.held(self._request.port):
            drain.close(self._context, change.origin)
            yield

    def _release(self, entry: Entry, change: Change, window: Window) -> None:
        window.began = time.monotonic()
        self._context.run(entry, change.verb, "release", change.plan.release)
        window.released = time.monotonic()

    def _connect(self, entry: Entry, change: Change, window: Window) -> None:
        if change.plan.connect:
            preconditions.refuse_held_port(self._engine, self._request, change.goal)
        self._context.run(entry, change.verb, "connect", change.plan.connect)
        window.connected = time.monotonic()

    def _await_first_answer(self, entry: Entry, change: Change, window: Window) -> None:
        entry.point(f"{change.verb}.answer")
        await_answer(self._engine, self._request, change.goal)
        window.answered, window.answered_at = time.monotonic(), now()

    def _finish(self, entry: Entry, change: Change) -> None:
        self._context.run(entry, change.verb, "finish", change.plan.finish)

    def _renew(self, entry: Entry, change: Change) -> None:
        """Restart, in standby, a gateway whose connections ran over networks that it left: a predecessor that stands by
        for the first time, whose calls would hang on them for minutes, or a Sentinel on Docker 20.10. The next handover
        finds out whether it started."""
        try:
            self._context.run(entry, change.verb, "renew", change.plan.renew)
        except DockerError as error:
            print(f"{change.origin.name} did not start again in standby: {error}", file=sys.stderr, flush=True)

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
