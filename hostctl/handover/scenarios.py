"""Worlds that a handover can start from, and from them every point of the journal, at which tests kill it.

The points come from the plans and are not listed by hand, so that a new step cannot be forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hostctl.docker.containers import Attachment, Container, Port
from hostctl.handover import plans, steps
from hostctl.handover.observed import World
from hostctl.handover.plans import Plan
from hostctl.handover.request import HandoverRequest, PredecessorRecord, RecordedContainer, RecordedNetwork

PORT = 9200
INTERNAL, EDGE = Attachment("sentinel", True, ("sentinel-gateway",)), Attachment("sentinel-edge", False)
OWN, ALSO = Attachment("mcpnet", False, ("gateway",)), Attachment("n8n", False)
_UNLESS_STOPPED: dict[str, Any] = {"Name": "unless-stopped", "MaximumRetryCount": 0}
_DECLARED = (Port("9200/tcp", "127.0.0.1", PORT),)
REQUEST = HandoverRequest(
    edge="sentinel-edge",
    internal="sentinel",
    port=PORT,
    folder="/opt/sentinel-cutover/handover",
    container="new",
    aliases=("sentinel-gateway",),
    also=("n8n",),
    predecessor=PredecessorRecord(
        "contextforge",
        RecordedContainer(
            "contextforge", "forge", restart=_UNLESS_STOPPED, networks=(RecordedNetwork("mcpnet", ("gateway",)),)
        ),
        (RecordedContainer("database", "database", restart=_UNLESS_STOPPED),),
    ),
)
STANDBY = Container("new", "gateway-new", attachments=(INTERNAL,), declared=_DECLARED, role="gateway")
SERVING = replace(STANDBY, attachments=(EDGE, ALSO, INTERNAL), published=(PORT,))
CRASHING = replace(SERVING, attachments=(EDGE, INTERNAL), restarting=True)
LOST = replace(STANDBY, attachments=())
OLDER = replace(SERVING, id="old", name="gateway-old")
FORGE = Container(
    "forge", "contextforge", restart=("unless-stopped", 0), attachments=(OWN,), declared=_DECLARED, published=(PORT,)
)
PAUSED = replace(FORGE, paused=True, attachments=(), published=(), restart=("no", 0))
STOPPED = replace(FORGE, running=False, published=(), restart=("no", 0))
DATABASE = Container("database", "database")
STOPPED_DATABASE = replace(DATABASE, running=False)


def world(sentinel: Container, predecessor: Container, database: Container = DATABASE, *others: Container) -> World:
    return World(sentinel, predecessor, (database,), (sentinel, *others))


_STOPS = plans.predecessor_stops(world(SERVING, PAUSED), REQUEST)
_STOP = replace(REQUEST, release="stop")
_STOPPED_OFF_NETWORK = replace(PAUSED, running=False, paused=False)
_OFF_DUTY = replace(FORGE, restart=("no", 0))
_CUT_OVER = replace(SERVING, attachments=(EDGE, INTERNAL))
_OLDER_FAILED = replace(OLDER, attachments=(EDGE, INTERNAL))


@dataclass(frozen=True)
class Scenario:
    """A verb in one example world: its plan, and what its undo stops afterwards."""

    verb: str
    plan: Plan
    then: Plan = field(default_factory=Plan)


SCENARIOS: dict[str, Scenario] = {
    "cutover by pause": Scenario("cutover", plans.sentinel_serves(world(STANDBY, FORGE), REQUEST, STANDBY)),
    "cutover by stop": Scenario("cutover", plans.sentinel_serves(world(STANDBY, FORGE), _STOP, STANDBY)),
    "cutover from an older Sentinel": Scenario(
        "cutover", plans.sentinel_serves(world(STANDBY, PAUSED, DATABASE, OLDER), REQUEST, STANDBY)
    ),
    "rollback to a paused predecessor": Scenario("rollback", plans.predecessor_serves(world(SERVING, PAUSED), REQUEST)),
    "rollback to a stopped predecessor": Scenario(
        "rollback", plans.predecessor_serves(world(SERVING, _STOPPED_OFF_NETWORK, STOPPED_DATABASE), REQUEST)
    ),
    "stop-predecessor": Scenario("stop-predecessor", _STOPS),
    "undo to the predecessor": Scenario("undo", plans.predecessor_serves(world(_CUT_OVER, PAUSED), REQUEST)),
    "undo to a stopped predecessor": Scenario(
        "undo", plans.predecessor_serves(world(_CUT_OVER, STOPPED), REQUEST)
    ),
    "undo to an older Sentinel": Scenario(
        "undo", plans.sentinel_serves(world(LOST, PAUSED, DATABASE, _OLDER_FAILED), REQUEST, LOST)
    ),
    "undo of a rollback": Scenario("undo", plans.sentinel_serves(world(LOST, _OFF_DUTY), REQUEST, LOST), _STOPS),
    "undo from a crashing Sentinel": Scenario("undo", plans.predecessor_serves(world(CRASHING, PAUSED), REQUEST)),
}


def points() -> dict[str, Any]:
    """{"points": each once, "scenarios": {name: its points in order}}."""
    scenarios = {name: _points(scenario) for name, scenario in SCENARIOS.items()}
    once = dict.fromkeys(point for names in scenarios.values() for point in names)
    return {"points": list(once), "scenarios": scenarios}


def _points(scenario: Scenario) -> list[str]:
    verb, plan = scenario.verb, scenario.plan

    def of(phase: str, phase_steps: tuple[steps.Step, ...]) -> list[str]:
        return [point for point, _ in steps.points(verb, phase, phase_steps)]

    window = [*of("prepare", plan.prepare), *of("release", plan.release), *of("connect", plan.connect)]
    if verb == "undo":
        return [*window, "undo.answer", *of("finish", plan.finish), *of("stop", scenario.then.finish)]
    answer = [] if verb == "stop-predecessor" else [f"{verb}.answer"]
    return [f"{verb}.begin", *window, *answer, *of("finish", plan.finish), f"{verb}.finalize", f"{verb}.state"]
