"""The engine, the request and the journal of one handover, and what each of its parts needs of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hostctl.core.errors import Refusal
from hostctl.docker.engine import Engine
from hostctl.handover import observed, plans, steps
from hostctl.handover.goal import Goal
from hostctl.handover.journal import Entry, Journal
from hostctl.handover.plans import Plan
from hostctl.handover.request import HandoverRequest
from hostctl.host.port_holder import CONTEXTFORGE, NOBODY


@dataclass(frozen=True)
class Context:
    engine: Engine
    request: HandoverRequest
    journal: Journal

    def world(self) -> observed.World:
        return observed.read(self.engine, self.request)

    def plan(self, world: observed.World, goal: Goal) -> Plan:
        """Raises Refusal where the goal's container is gone."""
        if goal.kind == CONTEXTFORGE:
            return plans.predecessor_serves(world, self.request)
        if goal.kind == NOBODY:
            return plans.nobody_serves(world, self.request)
        serving = world.gateway(goal.container)
        if serving is None:
            raise Refusal(f"the container {goal.name} is gone")
        return plans.sentinel_serves(world, self.request, serving)

    def run(
        self, entry: Entry, verb: str, phase: str, phase_steps: Sequence[steps.Step], tolerant: bool = False
    ) -> None:
        steps.run(self.engine, entry, verb, phase, phase_steps, tolerant)
