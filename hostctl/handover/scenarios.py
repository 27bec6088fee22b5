"""Worlds that a handover can start from, and from them every point of the journal, at which tests kill it.

The points come from the plans and are not listed by hand, so that a new step cannot be forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hostctl.docker.containers import Attachment, Container, Port
from hostctl.handover import plans, steps
from hostctl.handover.observed import World
from hostctl.handover.plans import Plan
from hostctl.handover.request import HandoverRequest, PredecessorRecord, RecordedContainer, RecordedNetwork

PORT = 9200
INTERNAL, EDGE = Attachment("sentinel", True, ("sentinel-gateway",)), Attachment("sentinel-edge", False)
OURS = Attachment("sentinel-predecessor", True, ("gateway",))
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
STOPPED_SENTINEL = replace(STANDBY, running=False)
CRASHING = replace(SERVING, attachments=(EDGE, INTERNAL), restarting=True)
LOST = replace(STANDBY, attachments=())
OLDER = replace(SERVING, id="old", name="gateway-old")
FORGE = Container(
    "forge", "contextforge", restart=("unless-stopped", 0), attachments=(OWN,), declared=_DECLARED, published=(PORT,)
)
IN_STANDBY = replace(FORGE, attachments=(OURS,), published=(), restart=("no", 0))
STOPPED = replace(FORGE, running=False, published=(), restart=("no", 0))
DATABASE = Container("database", "database")
STOPPED_DATABASE = replace(DATABASE, running=False)


def world(sentinel: Container, predecessor: Container, database: Container = DATABASE, *others: Container) -> World:
    return World(sentinel, predecessor, (database,), (sentinel, *others))


_STOPS = plans.predecessor_stops(world(SERVING, IN_STANDBY), REQUEST)
_STOPPED_AFTER = replace(REQUEST, keep="stopped")
_RETURNED = replace(FORGE, attachments=(OWN, OURS))
_OFF_ALL = replace(IN_STANDBY, attachments=())
_OFF_DUTY = replace(_RETURNED, restart=("no", 0))
_CUT_OVER = replace(SERVING, attachments=(EDGE, INTERNAL))
_OLDER_FAILED = replace(OLDER, attachments=(EDGE, INTERNAL))


@dataclass(frozen=True)
class Scenario:
    """A verb in one example world, and its plan."""

    verb: str
    plan: Plan


NEWER = "cutover on a newer Docker"
SCENARIOS: dict[str, Scenario] = {
    "cutover": Scenario("cutover", plans.sentinel_serves(world(STANDBY, FORGE), REQUEST, STANDBY)),
    "cutover after a rollback": Scenario("cutover", plans.sentinel_serves(world(STANDBY, _RETURNED), REQUEST, STANDBY)),
    "cutover to a stopped Sentinel": Scenario(
        "cutover", plans.sentinel_serves(world(STOPPED_SENTINEL, FORGE), REQUEST, STOPPED_SENTINEL)
    ),
    "cutover that stops the predecessor": Scenario(
        "cutover", plans.sentinel_serves(world(STANDBY, FORGE), _STOPPED_AFTER, STANDBY)
    ),
    "cutover from an older Sentinel": Scenario(
        "cutover", plans.sentinel_serves(world(STANDBY, IN_STANDBY, DATABASE, OLDER), REQUEST, STANDBY)
    ),
    NEWER: Scenario(
        "cutover", plans.sentinel_serves(replace(world(STANDBY, FORGE), republishes=False), REQUEST, STANDBY)
    ),
    "rollback": Scenario("rollback", plans.predecessor_serves(world(SERVING, IN_STANDBY), REQUEST)),
    "rollback to a stopped predecessor": Scenario(
        "rollback", plans.predecessor_serves(world(SERVING, STOPPED, STOPPED_DATABASE), REQUEST)
    ),
    "stop-predecessor": Scenario("stop-predecessor", _STOPS),
    "undo to the predecessor": Scenario("undo", plans.predecessor_serves(world(_CUT_OVER, _OFF_ALL), REQUEST)),
    "undo to an older Sentinel": Scenario(
        "undo", plans.sentinel_serves(world(LOST, IN_STANDBY, DATABASE, _OLDER_FAILED), REQUEST, LOST)
    ),
    "undo of a rollback": Scenario("undo", plans.sentinel_serves(world(LOST, _OFF_DUTY), REQUEST, LOST)),
    "undo from a crashing Sentinel": Scenario("undo", plans.predecessor_serves(world(CRASHING, _OFF_ALL), REQUEST)),
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

    gates = ["rollback.gates"] if verb == "rollback" else []
    standby = [*of("standby", plan.standby), *gates]
    drain = [] if verb in ("undo", "stop-predecessor") else [f"{verb}.drain"]
    window = [
        *standby,
        *drain,
        *of("prepare", plan.prepare),
        *of("aside", plan.aside),
        *of("release", plan.release),
        *of("connect", plan.connect),
    ]
    if verb == "undo":
        return [*window, "undo.answer", *of("finish", plan.finish)]
    answer = [] if verb == "stop-predecessor" else [f"{verb}.answer"]
    return [
        f"{verb}.begin",
        *window,
        *answer,
        *of("finish", plan.finish),
        *of("renew", plan.renew),
        f"{verb}.finalize",
        f"{verb}.state",
    ]
