"""Sums of the tests of the rollback: lines at the session's end and, of a soak, the figures of the documentation.

Owns: the shape of the four in docs/measured.json. Deliberately does not: count; each test does, and hands in what it
counted when it has passed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from lab.benchmarks import pages


@dataclass
class Cut:
    """One way of cutting a run off, at every point of it."""

    points: int = 0
    converged: int = 0
    only_engine: int = 0
    """At so many of them only the engine died, so that one gateway has to answer all the time..."""
    served: int = 0
    """...and did."""


@dataclass
class Sums:
    """Of one session; what was not run in it is not in it."""

    kill_matrix: dict[str, Cut] = field(default_factory=dict[str, Cut])
    """By the way of cutting off."""
    round_trips: list[dict[str, int]] = field(default_factory=list[dict[str, int]])
    """`cutover` and `rollback`: the program's own downtimes in ms."""
    state_machine: dict[str, int] = field(default_factory=dict[str, int])
    """The number of times that each rule was applied, and the invariant checked."""

    drill: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """By fault: `status`, the finding of `make status`; `commands`; `seconds` until the stack served, verified."""

    def lines(self) -> list[str]:
        """One line each for what was run."""
        lines: list[str] = []
        if self.kill_matrix:
            lines.append(f"kill matrix: {pages.converged(self._matrix())}")
        if self.round_trips:
            downtimes = " ".join(f"{trip['cutover']}/{trip['rollback']}" for trip in self.round_trips)
            lines.append(f"round trips: {len(self.round_trips)}, downtimes cutover/rollback in ms: {downtimes}")
        if self.state_machine:
            lines.append("state machine: " + ", ".join(f"{count} {what}" for what, count in self.state_machine.items()))
        for fault, one in self.drill.items():
            lines.append(f"{fault} | {one['status']} | {'; '.join(one['commands'])} | {one['seconds']} s")
        return lines

    def into(self, figures: Mapping[str, Any]) -> dict[str, Any]:
        """The documentation's figures with these in the place of older ones; parts that were not run stay."""
        run = {
            "kill_matrix": self.kill_matrix and {**figures.get("kill_matrix", {}), **self._matrix()},
            "round_trips": self.round_trips,
            "state_machine": self.state_machine,
            "drill": self.drill and {**figures.get("drill", {}), **self.drill},
        }
        return {**figures, **{name: part for name, part in run.items() if part}}

    def document(self) -> None:
        """Into docs/measured.json and the pages made from it."""
        if self.lines():
            pages.write(self.into(json.loads(pages.FIGURES.read_text(encoding="utf-8"))))

    def _matrix(self) -> dict[str, dict[str, int]]:
        return {name: asdict(cut) for name, cut in self.kill_matrix.items()}
