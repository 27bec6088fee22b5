"""A command on every stack of a fleet, in waves, to the end of each run that has begun.

Ctrl-C starts no further run and reaches each one that is under way as it would reach `make` alone: its engine finishes
the step that it is at. A second Ctrl-C ends the engines.
"""

from __future__ import annotations

import queue
import signal
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from types import FrameType

from console.progress import SIGNALS_SEEN_EVERY_SECONDS
from ops.fleet.host_run import HostRun, Outcome
from ops.fleet.view import View
from ops.fleet.waves import Plan, ready

FIRST_INTERRUPT = (
    "No further host is started; each one at work finishes its current step, then stops. Ctrl-C again ends it now."
)
LATER_INTERRUPT = "The engines end now."


def run_all(command: str, plan: Plan, view: View) -> list[Outcome]:
    """The outcome of each stack in the plan's order, of those too that were not started."""
    ends: queue.SimpleQueue[str] = queue.SimpleQueue()
    running: dict[str, HostRun] = {}
    outcomes: dict[str, Outcome] = {}
    passed_on = 0
    with _counted_interrupts() as interrupts:
        while True:
            if not interrupts:
                _start(command, plan, running, outcomes, ends, view)
            if not running:
                break
            if len(interrupts) > passed_on:
                passed_on += 1
                view.line(FIRST_INTERRUPT if passed_on == 1 else LATER_INTERRUPT)
                for run in running.values():
                    run.interrupt()
            _take_ends(ends, running, outcomes, view)
            for run in running.values():
                run.follow()
            view.tick(list(running.values()), list(outcomes.values()))
    view.close()
    return [outcomes.get(stack) or Outcome(stack, "not started") for stack in plan.stacks]


@contextmanager
def _counted_interrupts() -> Generator[Sequence[int]]:
    """Ctrl-C and SIGTERM as a growing list: as exceptions they could come between a start and its record."""
    seen: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)

    former = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield seen
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _start(
    command: str,
    plan: Plan,
    running: dict[str, HostRun],
    outcomes: dict[str, Outcome],
    ends: queue.SimpleQueue[str],
    view: View,
) -> None:
    for stack in ready(plan, running.keys(), {name: one.result == "ok" for name, one in outcomes.items()}):
        running[stack] = HostRun(command, stack, ends)
        view.began(running[stack])


def _take_ends(
    ends: queue.SimpleQueue[str], running: dict[str, HostRun], outcomes: dict[str, Outcome], view: View
) -> None:
    try:
        stack = ends.get(timeout=SIGNALS_SEEN_EVERY_SECONDS)
    except queue.Empty:
        return
    outcomes[stack] = running[stack].outcome()
    del running[stack]
    view.ended(outcomes[stack])


def again(command: str, outcomes: Sequence[Outcome], at_once: int) -> str | None:
    """The one command that goes on: with what failed first, as the next canary; None where nothing is left."""
    left = sorted((one for one in outcomes if one.result != "ok"), key=lambda one: one.result == "not started")
    if not left:
        return None
    return f'make fleet-{command} STACKS="{" ".join(one.stack for one in left)}" AT_ONCE={at_once}'
