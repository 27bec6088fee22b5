"""The wall time of `make fleet-up`: measured for one host and three, simulated from their times for a hundred.

Owns: running the fleet's story on three boxes, which measures; the simulation, by the very function that starts real
runs (ops/fleet/waves.py); the table.
Deliberately does not: know the load that many engines at once put on the operator's machine.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lab.benchmarks.story import figures_of
from ops.fleet.waves import Plan, ready

KEY = "fleet"
TAKEN_BY = "python -m lab.benchmarks fleet"
HOSTS, AT_ONCE = 100, 10
"""Of the simulated fleet."""
DRAWS = 200


def take() -> dict[str, Any]:
    """{"one", "three", "hosts", "simulated"}, all in seconds; raises UserError when the story fails."""
    measured = figures_of("tests/lab/fleet", "FLEET_FIGURES")
    return {**measured, "simulated": round(median_seconds(HOSTS, AT_ONCE, list(measured["hosts"].values())), 1)}


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


def _table(taken: Mapping[str, Any], table: Callable[..., str]) -> str:
    rows = [
        ("1, measured", 1, _minutes(taken["one"])),
        ("3, measured, the canary first", 2, _minutes(taken["three"])),
        (f"{HOSTS}, simulated, the canary first", AT_ONCE, _minutes(taken["simulated"])),
    ]
    spread = taken["hosts"].values()
    note = f"The simulated runs take what one of the measured took, {min(spread):.0f} to {max(spread):.0f} s."
    return f"{table(('hosts', 'at the same time', 'minutes'), rows)}\n{note}\n"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f}"


TABLES = {"fleet": _table}
