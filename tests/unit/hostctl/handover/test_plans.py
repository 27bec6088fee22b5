"""The order of the handover's steps, as values: pure functions from example worlds, no engine."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hostctl.docker.containers import Container
from hostctl.handover import plans, scenarios
from hostctl.handover.observed import World
from hostctl.handover.plans import Plan
from hostctl.handover.request import RecordedNetwork
from hostctl.handover.scenarios import (
    DATABASE,
    FORGE,
    IN_STANDBY,
    OLDER,
    OWN,
    REQUEST,
    SERVING,
    STANDBY,
    STOPPED,
    world,
)
from hostctl.handover.standby import StandbyEndpoint


def steps_of(plan: Plan) -> dict[str, list[str]]:
    """Each phase's steps as "action container network"."""
    phases = {
        name: getattr(plan, name) for name in ("standby", "prepare", "aside", "release", "connect", "finish", "renew")
    }
    return {
        phase: [f"{step.action} {step.name} {step.network}".strip() for step in found]
        for phase, found in phases.items()
        if found
    }


def newer(sentinel: Container, predecessor: Container) -> World:
    return replace(world(sentinel, predecessor), republishes=False)


OURS = "sentinel-predecessor"
STANDS_BY = f"connect contextforge {OURS}"


def test_a_cutover_has_the_fewest_steps_inside_the_window() -> None:
    assert steps_of(plans.sentinel_serves(world(STANDBY, FORGE), REQUEST, STANDBY)) == {
        "prepare": ["restart-policy contextforge"],
        "release": ["disconnect contextforge mcpnet"],
        "connect": ["connect gateway-new sentinel-edge"],
        "finish": ["connect gateway-new n8n", STANDS_BY],
        "renew": ["restart contextforge", "end-sessions contextforge"],
    }


def test_a_predecessor_serves_on_from_its_standby_network_until_the_window_and_leaves_that_one_in_it() -> None:
    returned = replace(FORGE, attachments=(scenarios.OWN, scenarios.OURS, scenarios.INTERNAL))
    plan = plans.sentinel_serves(world(STANDBY, returned), REQUEST, STANDBY)
    found = steps_of(plan)
    assert found["prepare"] == ["restart-policy contextforge"]
    assert found["aside"] == ["disconnect contextforge sentinel", "disconnect contextforge mcpnet"]
    assert found["release"] == [f"disconnect contextforge {OURS}"]
    assert found["finish"][-1] == STANDS_BY
    assert not plan.renew
    assert plan.finish[-1].aliases == ("gateway",)


def test_a_newer_docker_publishes_nothing_on_internal_networks_so_the_window_has_one_step_each_way() -> None:
    standby, plan = "sentinel-predecessor", plans.sentinel_serves(newer(STANDBY, FORGE), REQUEST, STANDBY)
    assert steps_of(plan) == {
        "prepare": ["restart-policy contextforge", f"connect contextforge {standby}"],
        "release": ["disconnect contextforge mcpnet"],
        "connect": ["connect gateway-new sentinel-edge"],
        "finish": ["connect gateway-new n8n"],
        "renew": ["restart contextforge", "end-sessions contextforge"],
    }
    assert steps_of(plans.predecessor_serves(newer(SERVING, IN_STANDBY), REQUEST)) == {
        "prepare": ["disconnect gateway-new n8n"],
        "release": ["disconnect gateway-new sentinel-edge"],
        "connect": ["connect contextforge mcpnet"],
        "finish": ["restart-policy contextforge"],
    }


def test_a_gateway_that_a_killed_run_left_serving_from_its_standby_network_is_withdrawn_from_there() -> None:
    half_way = replace(FORGE, attachments=(scenarios.OURS,), restart=("no", 0))
    found = steps_of(plans.sentinel_serves(world(STANDBY, half_way), REQUEST, STANDBY))
    assert (found["release"], found["finish"][-1]) == ([f"disconnect contextforge {OURS}"], STANDS_BY)
    back = steps_of(plans.predecessor_serves(world(STANDBY, half_way), REQUEST))
    assert back["connect"] == ["connect contextforge mcpnet"] and "standby" not in back
    served = replace(SERVING, attachments=(scenarios.INTERNAL,))
    found = steps_of(plans.predecessor_serves(world(served, IN_STANDBY), REQUEST))
    assert found["release"] == ["disconnect gateway-new sentinel"]
    again = steps_of(plans.sentinel_serves(world(served, IN_STANDBY), REQUEST, served))
    assert again["connect"] == ["connect gateway-new sentinel-edge"] and "release" not in again


def test_the_predecessor_has_one_address_and_links_on_its_standby_network_whenever_it_joins_it() -> None:
    endpoint = StandbyEndpoint("172.30.255.254", ("forge-db-1:postgres",))
    addressed = replace(world(STANDBY, FORGE), standby=endpoint)
    joins = plans.sentinel_serves(addressed, REQUEST, STANDBY).finish[-1]
    assert joins.endpoint == {"IPAMConfig": {"IPv4Address": "172.30.255.254"}, "Links": ["forge-db-1:postgres"]}


def test_a_stopped_sentinel_is_started_into_standby_while_the_predecessor_serves() -> None:
    ended = replace(STANDBY, running=False)
    found = steps_of(plans.sentinel_serves(world(ended, FORGE), REQUEST, ended))
    assert (found["standby"], found["connect"]) == (["start gateway-new"], ["connect gateway-new sentinel-edge"])
    served = replace(SERVING, running=False, published=())
    found = steps_of(plans.sentinel_serves(world(served, FORGE), REQUEST, served))
    assert found["standby"] == [
        "disconnect gateway-new sentinel-edge", "disconnect gateway-new n8n", "start gateway-new",
    ]  # fmt: skip
    assert found["connect"] == ["connect gateway-new sentinel-edge"]


def test_an_internal_network_of_the_predecessors_is_joined_once_it_serves() -> None:
    gateway = replace(
        REQUEST.predecessor.gateway, networks=(RecordedNetwork("mcpnet"), RecordedNetwork("inner", internal=True))
    )
    request = replace(REQUEST, predecessor=replace(REQUEST.predecessor, gateway=gateway))
    found = steps_of(plans.predecessor_serves(world(SERVING, IN_STANDBY), request))
    assert found["connect"] == ["connect contextforge mcpnet"]
    assert "connect contextforge inner" in found["finish"]


def test_a_predecessor_that_is_kept_stopped_is_stopped_after_the_window() -> None:
    stopped = replace(REQUEST, keep="stopped")
    found = steps_of(plans.sentinel_serves(world(STANDBY, FORGE), stopped, STANDBY))
    assert found["release"] == ["disconnect contextforge mcpnet"]
    assert found["finish"] == ["connect gateway-new n8n", STANDS_BY, "stop contextforge"]


def test_an_older_sentinel_leaves_and_stays_standby_on_the_internal_network() -> None:
    assert steps_of(plans.sentinel_serves(world(STANDBY, IN_STANDBY, DATABASE, OLDER), REQUEST, STANDBY)) == {
        "prepare": ["disconnect gateway-old n8n"],
        "aside": ["disconnect gateway-old sentinel-edge"],
        "release": ["disconnect gateway-old sentinel"],
        "connect": ["connect gateway-new sentinel-edge"],
        "finish": ["connect gateway-new n8n", "connect gateway-old sentinel"],
    }


def test_a_rollback_publishes_the_predecessor_with_its_aliases_and_leaves_it_on_the_standby_network() -> None:
    plan = plans.predecessor_serves(world(SERVING, IN_STANDBY), REQUEST)
    assert steps_of(plan) == {
        "prepare": ["disconnect gateway-new n8n"],
        "aside": ["disconnect gateway-new sentinel-edge"],
        "release": ["disconnect gateway-new sentinel"],
        "connect": ["connect contextforge mcpnet"],
        "finish": ["connect gateway-new sentinel", "restart-policy contextforge"],
        "renew": ["restart gateway-new"],
    }
    assert plan.connect[0].aliases == ("gateway",)
    assert plan.finish[1].restart == ("unless-stopped", 0)


def test_a_rollback_joins_each_network_with_the_endpoint_as_it_was_recorded() -> None:
    endpoint = {"IPAMConfig": {"IPv4Address": "172.18.0.9"}, "Links": ["postgres:db"], "GwPriority": 7}
    gateway = replace(REQUEST.predecessor.gateway, networks=(RecordedNetwork("mcpnet", endpoint=endpoint),))
    request = replace(REQUEST, predecessor=replace(REQUEST.predecessor, gateway=gateway))
    assert plans.predecessor_serves(world(SERVING, IN_STANDBY), request).connect[0].endpoint == endpoint


def test_a_stopped_predecessor_is_started_into_standby_while_sentinel_serves() -> None:
    found = steps_of(plans.predecessor_serves(world(SERVING, STOPPED), REQUEST))
    starts = ["start contextforge", "end-sessions contextforge"]
    assert found["standby"] == ["disconnect contextforge mcpnet", STANDS_BY, *starts]
    assert found["connect"] == ["connect contextforge mcpnet"]


def test_what_the_predecessor_depends_on_is_started_before_it() -> None:
    found = steps_of(plans.predecessor_serves(world(SERVING, STOPPED, scenarios.STOPPED_DATABASE), REQUEST))
    assert (found["standby"][0], found["standby"][-2]) == ("start database", "start contextforge")


def test_former_sessions_are_ended_where_a_database_runs() -> None:
    stopped = plans.predecessor_serves(world(SERVING, STOPPED, scenarios.STOPPED_DATABASE), REQUEST)
    running = plans.predecessor_serves(world(SERVING, STOPPED), REQUEST)
    assert (stopped.standby[-1].siblings, running.standby[-1].siblings) == ((), ("database",))


def test_a_predecessor_that_joined_its_network_while_the_port_was_held_stands_by_first() -> None:
    beside = replace(FORGE, published=(), attachments=(OWN,))
    found = steps_of(plans.predecessor_serves(world(SERVING, beside), REQUEST))
    assert found["standby"] == ["disconnect contextforge mcpnet", STANDS_BY]
    assert found["connect"] == ["connect contextforge mcpnet"]


def test_where_the_goal_is_reached_there_are_no_steps_but_a_reason() -> None:
    cutover = plans.sentinel_serves(world(SERVING, IN_STANDBY), REQUEST, SERVING)
    rollback = plans.predecessor_serves(world(STANDBY, FORGE), REQUEST)
    assert (cutover.is_empty(), cutover.reason) == (True, "gateway-new already holds port 9200")
    assert (rollback.is_empty(), rollback.reason) == (True, "contextforge already holds port 9200")


def test_stopping_a_predecessor_in_standby_is_its_own_shutdown() -> None:
    assert steps_of(plans.predecessor_stops(world(SERVING, IN_STANDBY), REQUEST)) == {"finish": ["stop contextforge"]}
    assert plans.predecessor_stops(world(SERVING, STOPPED), REQUEST).reason == "contextforge is stopped already"
    assert plans.predecessor_stops(world(STANDBY, FORGE), REQUEST).reason == (
        "contextforge holds port 9200: cut over first"
    )


def test_the_points_are_listed_without_a_document(run: Any) -> None:
    shown = json.loads(run("handover", "points", document="").stdout)
    assert shown == scenarios.points()
    assert {"cutover.begin", "cutover.release.disconnect", "cutover.connect.connect", "cutover.state"} <= set(
        shown["points"]
    )
