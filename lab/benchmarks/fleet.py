"""The wall time of `make fleet-up`, simulated from the recorded times of real runs of `make up`.

Owns: the simulation, by the very function that starts real runs (ops/fleet/waves.py), and its table.
Deliberately does not: know the load that many engines at once put on the operator's machine.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from console.errors import UserError
from console.paths import LOGS
from console.progress import Progress
from ops.engine.run import open_stack
from ops.fleet.waves import Plan, ready

KEY = "fleet"
TAKEN_BY = "python -m lab.benchmarks fleet"
STACK = "lab"
FLEETS = ((1, 1), (3, 3), (100, 10))
"""Hosts, and how many of them at the same time."""
DRAWS = 200


def take() -> dict[str, Any]:
    """The simulation over the runs in the lab's history that made or changed something."""
    runs = open_stack(STACK, Progress(LOGS), create=False).history(show_secrets=False)
    recorded = [
        (run.end_time - run.start_time).total_seconds()
        for run in runs
        if run.end_time and run.kind == "update" and run.result == "succeeded" and _changed(run.resource_changes)
    ]
    if not recorded:
        raise UserError("The lab's history has no run that changed something: run `make up` first.")
    return {
        "runs": len(recorded),
        "seconds": {"least": round(min(recorded), 1), "most": round(max(recorded), 1)},
        "fleets": [
            {"hosts": hosts, "at_once": at_once, "seconds": round(median_seconds(hosts, at_once, recorded), 1)}
            for hosts, at_once in FLEETS
        ],
    }


def median_seconds(hosts: int, at_once: int, recorded: Sequence[float]) -> float:
    """The median wall time of a fleet whose hosts' times are drawn from the recorded ones."""
    chance = random.Random(hosts)
    stacks = tuple(f"h{number}" for number in range(hosts))
    walls = sorted(
        wall_seconds(Plan(stacks, at_once, canary=True), {stack: chance.choice(recorded) for stack in stacks})
        for _ in range(DRAWS)
    )
    return walls[DRAWS // 2]


def wall_seconds(plan: Plan, seconds: Mapping[str, float]) -> float:
    """The end of the last run, in seconds since the beginning of the first, where every run succeeds."""
    now, ended = 0.0, dict[str, bool]()
    ends: list[tuple[float, str]] = []
    while True:
        for stack in ready(plan, [stack for _, stack in ends], ended):
            heapq.heappush(ends, (now + seconds[stack], stack))
        if not ends:
            return now
        now, stack = heapq.heappop(ends)
        ended[stack] = True


def _changed(changes: Mapping[Any, int] | None) -> bool:
    return bool(set(changes or {}) - {"same"})


def _table(taken: Mapping[str, Any], table: Callable[..., str]) -> str:
    rows = [(one["hosts"], one["at_once"], f"{one['seconds'] / 60:.1f}") for one in taken["fleets"]]
    spread = taken["seconds"]
    note = f"From {taken['runs']} recorded runs of {spread['least']:.0f} to {spread['most']:.0f} s each."
    return f"{table(('hosts', 'at the same time', 'minutes, simulated'), rows)}\n{note}\n"


TABLES = {"fleet": _table}
