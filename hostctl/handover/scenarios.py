"""Worlds that a handover can start from, and from them every point of the journal.

Owns: `points`, which tests kill at. Deliberately does not: list points by hand. They come from the plans, so that a
new step cannot be forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hostctl.docker.containers import Attachment, Container, Port
from hostctl.handover import plans, steps
from hostctl.handover.observed import World
from hostctl.handover.plans import Plan
from hostctl.handover.request import (
    Predecessor,
    RecordedContainer,
    RecordedNetwork,
    Request,
)

PORT = 9200
INTERNAL, EDGE = Attachment("sentinel", True, ("sentinel-gateway",)), Attachment("sentinel-edge", False)
OWN, ALSO = Attachment("mcpnet", False, ("gateway",)), Attachment("n8n", False)
_DECLARED = (Port("9200/tcp", "127.0.0.1", PORT),)
REQUEST = Request(
    docker_socket="",
    container="new",
    edge="sentinel-edge",
    internal="sentinel",
    aliases=("sentinel-gateway",),
    also=("n8n",),
    predecessor=Predecessor(
        RecordedContainer(
            "forge", "contextforge", True, ("unless-stopped", 0), (RecordedNetwork("mcpnet", ("gateway",), False),)
        ),
        (RecordedContainer("database", "database", True, ("unless-stopped", 0), ()),),
    ),
    release="pause",
    port=PORT,
    probe_path="/mcp",
    token_file="",
    predecessor_path="/health",
    folder="",
    answer_seconds=10,
    predecessor_seconds=60,
    drain_seconds=10,
    document={},
)
WARM = Container("new", "gateway-new", attachments=(INTERNAL,), declared=_DECLARED, role="gateway")
SERVING = replace(WARM, attachments=(EDGE, ALSO, INTERNAL), published=(PORT,))
CRASHING = replace(SERVING, attachments=(EDGE, INTERNAL), restarting=True)
LOST = replace(WARM, attachments=())
OLDER = replace(SERVING, id="old", name="gateway-old")
FORGE = Container(
    "forge", "contextforge", restart=("unless-stopped", 0), attachments=(OWN,), declared=_DECLARED, published=(PORT,)
)
FROZEN = replace(FORGE, paused=True, attachments=(), published=(), restart=("no", 0))
STOPPED = replace(FORGE, running=False, published=(), restart=("no", 0))
DATABASE = Container("database", "database")
IDLE_DATABASE = replace(DATABASE, running=False)


def world(sentinel: Container, predecessor: Container, database: Container = DATABASE, *others: Container) -> World:
    return World(sentinel, predecessor, (database,), (sentinel, *others))


_RESTS = plans.predecessor_rests(world(SERVING, FROZEN), REQUEST)
_STOP = replace(REQUEST, release="stop")
_COLD = replace(FROZEN, running=False, paused=False)
_OFF_DUTY = replace(FORGE, restart=("no", 0))
_JUST_TAKEN = replace(SERVING, attachments=(EDGE, INTERNAL))
_OLDER_FAILED = replace(OLDER, attachments=(EDGE, INTERNAL))


@dataclass(frozen=True)
class Scenario:
    """A verb in one example world: its plan, and what its undo stops afterwards."""

    verb: str
    plan: Plan
    then: Plan = field(default_factory=Plan)


SCENARIOS: dict[str, Scenario] = {
    "cutover by pause": Scenario("cutover", plans.sentinel_serves(world(WARM, FORGE), REQUEST, WARM)),
    "cutover by stop": Scenario("cutover", plans.sentinel_serves(world(WARM, FORGE), _STOP, WARM)),
    "cutover from an older Sentinel": Scenario(
        "cutover", plans.sentinel_serves(world(WARM, FROZEN, DATABASE, OLDER), REQUEST, WARM)
    ),
    "rollback to a paused predecessor": Scenario("rollback", plans.predecessor_serves(world(SERVING, FROZEN), REQUEST)),
    "rollback to a stopped predecessor": Scenario(
        "rollback", plans.predecessor_serves(world(SERVING, _COLD, IDLE_DATABASE), REQUEST)
    ),
    "stop-predecessor": Scenario("stop-predecessor", _RESTS),
    "undo to the predecessor": Scenario("undo", plans.predecessor_serves(world(_JUST_TAKEN, FROZEN), REQUEST)),
    "undo to a stopped predecessor": Scenario("undo", plans.predecessor_serves(world(_JUST_TAKEN, STOPPED), REQUEST)),
    "undo to an older Sentinel": Scenario(
        "undo", plans.sentinel_serves(world(LOST, FROZEN, DATABASE, _OLDER_FAILED), REQUEST, LOST)
    ),
    "undo of a rollback": Scenario("undo", plans.sentinel_serves(world(LOST, _OFF_DUTY), REQUEST, LOST), _RESTS),
    "undo from a crashing Sentinel": Scenario("undo", plans.predecessor_serves(world(CRASHING, FROZEN), REQUEST)),
}


def points() -> dict[str, Any]:
    """{"points": each once, "scenarios": {name: its points in order}}."""
    scenarios = {name: _points(scenario) for name, scenario in SCENARIOS.items()}
    once = dict.fromkeys(point for found in scenarios.values() for point in found)
    return {"points": list(once), "scenarios": scenarios}


def _points(scenario: Scenario) -> list[str]:
    verb, plan = scenario.verb, scenario.plan

    def of(phase: str, found: tuple[steps.Step, ...]) -> list[str]:
        return [point for point, _ in steps.points(verb, phase, found)]

    window = [*of("prepare", plan.prepare), *of("release", plan.release), *of("connect", plan.connect)]
    if verb == "undo":
        return [*window, "undo.answer", *of("finish", plan.finish), *of("stop", scenario.then.finish)]
    answer = [] if verb == "stop-predecessor" else [f"{verb}.answer"]
    return [f"{verb}.begin", *window, *answer, *of("finish", plan.finish), f"{verb}.finalize", f"{verb}.state"]
