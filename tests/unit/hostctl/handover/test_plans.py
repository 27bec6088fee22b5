"""The order of the handover's steps, as values: pure functions from example worlds, no engine."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hostctl.handover import plans, scenarios
from hostctl.handover.plans import Plan
from hostctl.handover.scenarios import DATABASE, FORGE, OLDER, PAUSED, REQUEST, SERVING, STANDBY, STOPPED, world


def steps_of(plan: Plan) -> dict[str, list[str]]:
    """Each phase's steps as "action container network"."""
    phases = {"prepare": plan.prepare, "release": plan.release, "connect": plan.connect, "finish": plan.finish}
    return {
        phase: [f"{step.action} {step.name} {step.network}".strip() for step in found]
        for phase, found in phases.items()
        if found
    }


def test_a_cutover_by_pause_has_the_fewest_steps_inside_the_window() -> None:
    assert steps_of(plans.sentinel_serves(world(STANDBY, FORGE), REQUEST, STANDBY)) == {
        "prepare": ["restart-policy contextforge"],
        "release": ["pause contextforge", "disconnect contextforge mcpnet"],
        "connect": ["connect gateway-new sentinel-edge"],
        "finish": ["connect gateway-new n8n"],
    }


def test_a_predecessor_leaves_its_internal_networks_first_and_the_publishing_one_last() -> None:
    on_both = replace(FORGE, attachments=(scenarios.OWN, scenarios.INTERNAL))
    release = steps_of(plans.sentinel_serves(world(STANDBY, on_both), REQUEST, STANDBY))["release"]
    assert release[1:] == ["disconnect contextforge sentinel", "disconnect contextforge mcpnet"]


def test_a_cutover_by_stop_leaves_the_networks_as_they_are() -> None:
    stop = replace(REQUEST, release="stop")
    assert steps_of(plans.sentinel_serves(world(STANDBY, FORGE), stop, STANDBY))["release"] == ["stop contextforge"]


def test_an_older_sentinel_leaves_and_stays_standby_on_the_internal_network() -> None:
    assert steps_of(plans.sentinel_serves(world(STANDBY, PAUSED, DATABASE, OLDER), REQUEST, STANDBY)) == {
        "prepare": ["disconnect gateway-old n8n"],
        "release": ["disconnect gateway-old sentinel", "disconnect gateway-old sentinel-edge"],
        "connect": ["connect gateway-new sentinel-edge"],
        "finish": ["connect gateway-new n8n", "connect gateway-old sentinel"],
    }


def test_a_rollback_to_a_paused_predecessor_connects_it_with_its_aliases_and_unpauses_it() -> None:
    plan = plans.predecessor_serves(world(SERVING, PAUSED), REQUEST)
    assert steps_of(plan) == {
        "prepare": ["disconnect gateway-new n8n"],
        "release": ["disconnect gateway-new sentinel", "disconnect gateway-new sentinel-edge"],
        "connect": ["connect contextforge mcpnet", "unpause contextforge"],
        "finish": ["connect gateway-new sentinel", "restart-policy contextforge"],
    }
    assert plan.connect[0].aliases == ("gateway",)
    assert plan.finish[1].restart == ("unless-stopped", 0)


def test_a_rollback_to_a_stopped_predecessor_joins_before_and_only_starts_inside_the_window() -> None:
    found = steps_of(plans.predecessor_serves(world(SERVING, replace(STOPPED, attachments=())), REQUEST))
    assert found["prepare"] == ["disconnect gateway-new n8n", "connect contextforge mcpnet"]
    assert found["connect"] == ["start contextforge"]


def test_what_the_predecessor_depends_on_is_started_before_the_window() -> None:
    found = steps_of(plans.predecessor_serves(world(SERVING, STOPPED, scenarios.STOPPED_DATABASE), REQUEST))
    assert found["prepare"] == ["disconnect gateway-new n8n", "start database"]


def test_where_the_goal_is_reached_there_are_no_steps_but_a_reason() -> None:
    cutover = plans.sentinel_serves(world(SERVING, PAUSED), REQUEST, SERVING)
    rollback = plans.predecessor_serves(world(STANDBY, FORGE), REQUEST)
    assert (cutover.is_empty(), cutover.reason) == (True, "gateway-new already holds port 9200")
    assert (rollback.is_empty(), rollback.reason) == (True, "contextforge already holds port 9200")


def test_stopping_a_paused_predecessor_unpauses_it_off_its_networks_first() -> None:
    assert steps_of(plans.predecessor_stops(world(SERVING, PAUSED), REQUEST)) == {
        "finish": ["unpause contextforge", "stop contextforge"]
    }
    assert plans.predecessor_stops(world(SERVING, STOPPED), REQUEST).reason == "contextforge is stopped already"
    assert plans.predecessor_stops(world(STANDBY, FORGE), REQUEST).reason == (
        "contextforge holds port 9200: cut over first"
    )


def test_the_points_are_listed_without_a_document(run: Any) -> None:
    shown = json.loads(run("handover", "points", document="").stdout)
    assert shown == scenarios.points()
    assert {"cutover.begin", "cutover.release.pause", "cutover.connect.connect", "cutover.state"} <= set(
        shown["points"]
    )
