"""The order of a fleet's runs: which stacks may start, by those that run and those that have ended.

Owns: the canary, the limit on runs at once, and the stop after a failure. Deliberately does not: start anything, so
that the same function decides for real runs, for the property tests and for the simulation of a larger fleet.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """The stacks in their order, and how many of them may run at once.

    With `canary` the first one runs alone, and a failure starts no further one; without, each one runs whatever becomes
    of the others.
    """

    stacks: tuple[str, ...]
    at_once: int
    canary: bool


def ready(plan: Plan, running: Collection[str], ended: Mapping[str, bool]) -> list[str]:
    """The stacks to start now; `ended` says of each one that has ended whether it succeeded."""
    if plan.canary and not all(ended.values()):
        return []
    waiting = [stack for stack in plan.stacks if stack not in running and stack not in ended]
    limit = 1 if plan.canary and not ended else plan.at_once
    return waiting[: max(0, limit - len(running))]
