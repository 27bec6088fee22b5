"""States of a host after a boot, made by hand without Docker, and the row that each one gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hostctl import nightly
from hostctl.docker.containers import Attachment, Container
from hostctl.reboot_check import docker_checks, host_checks
from hostctl.reboot_check.docker_checks import DockerState
from hostctl.reboot_check.request import RebootCheckRequest
from hostctl.schedule import installer
from hostctl.schedule.job import Scheduler
from tests.unit.hostctl.nightly.request import nightly_request

NETWORKS = {"sentinel": True, "sentinel-edge": False, "forge_net": False}


def container(name: str, *networks: str, **facts: Any) -> Container:
    attachments = tuple(Attachment(network, NETWORKS[network]) for network in networks)
    running = Container(name, name, restart=("unless-stopped", 0), attachments=attachments)
    return replace(running, **facts)


def expected(active: str, **changes: Any) -> RebootCheckRequest:
    found = RebootCheckRequest(
        folder="/srv/reboot", program="/opt/hostctl.pyz", limit_seconds=5, active=active, sentinel="sentinel-gateway-1",
        standby=True, predecessor="forge", project="forge", internal="sentinel", edge="sentinel-edge", port=9200,
        health_port=9201, containers=("sentinel-postgres", "mcp-sqlite"),
        before={"mcp-sqlite": ["forge_net", "sentinel"]},
    )  # fmt: skip
    return replace(found, **changes)


GATEWAY = container("sentinel-gateway-1", "sentinel", "sentinel-edge", role="gateway", published=(9200, 9201))
STANDBY = container("sentinel-gateway-1", "sentinel", role="gateway")
FORGE = container("forge", "forge_net", published=(9200,))
OUT = container("forge", running=False, restart=("no", 0))
OTHERS = [container("sentinel-postgres", "sentinel"), container("mcp-sqlite", "forge_net", "sentinel")]
SENTINEL_SERVES = DockerState([GATEWAY, OUT, *OTHERS], NETWORKS)
FORGE_SERVES = DockerState([STANDBY, FORGE, *OTHERS], NETWORKS)


def with_one(state: DockerState, name: str, **changes: Any) -> DockerState:
    return DockerState([replace(one, **changes) if one.name == name else one for one in state.found], state.networks)


def without(state: DockerState, name: str) -> DockerState:
    return DockerState([one for one in state.found if one.name != name], state.networks)


@pytest.mark.parametrize(
    ("active", "state"), [("sentinel", SENTINEL_SERVES), ("contextforge", FORGE_SERVES)], ids=["sentinel", "forge"]
)
def test_the_state_as_it_should_be_is_well(active: str, state: DockerState) -> None:
    for row in (
        docker_checks.of_containers(expected(active), state),
        docker_checks.of_networks(expected(active), state),
    ):
        assert (row.ok, row.final) == (True, False), row


@pytest.mark.parametrize(
    ("changes", "detail", "final"),
    [
        ({"running": False, "restart": ("no", 0)}, "mcp-sqlite does not run, and its restart policy is no", True),
        ({"running": False}, "mcp-sqlite does not run", False),
        ({"paused": True}, "mcp-sqlite is still paused", True),
        ({"restarting": True}, "mcp-sqlite ends and is started again", False),
        ({"health": "starting"}, "mcp-sqlite is starting", False),
    ],
)
def test_a_container_that_is_not_well_is_named_and_waited_for_only_where_that_can_help(
    changes: dict[str, Any], detail: str, final: bool
) -> None:
    row = docker_checks.of_containers(expected("sentinel"), with_one(SENTINEL_SERVES, "mcp-sqlite", **changes))
    assert (row.ok, row.detail, row.final) == (False, detail, final)


def test_a_paused_predecessor_that_is_still_paused_after_the_boot_is_not_well() -> None:
    state = with_one(SENTINEL_SERVES, "forge", running=True, paused=True)
    assert docker_checks.of_containers(expected("sentinel"), state).detail == "forge is still paused"


def test_a_predecessor_that_came_up_beside_sentinel_is_not_well() -> None:
    state = with_one(SENTINEL_SERVES, "forge", running=True, restart=("always", 0))
    row = docker_checks.of_containers(expected("sentinel"), state)
    assert (row.detail, row.final) == ("forge runs beside Sentinel (restart policy always)", True)


def test_a_predecessor_that_is_gone_takes_the_rollback_with_it() -> None:
    assert "no rollback" in docker_checks.of_containers(expected("sentinel"), without(SENTINEL_SERVES, "forge")).detail
    assert docker_checks.of_containers(expected("sentinel", predecessor=""), without(SENTINEL_SERVES, "forge")).ok


def test_a_standby_that_did_not_come_back_is_not_well_unless_it_was_to_rest() -> None:
    state = without(FORGE_SERVES, "sentinel-gateway-1")
    assert docker_checks.of_containers(expected("contextforge"), state).detail == "sentinel-gateway-1 does not exist"
    assert docker_checks.of_containers(expected("contextforge", standby=False), state).ok


@pytest.mark.parametrize(
    ("networks", "detail"),
    [
        ({"sentinel": True}, "sentinel-edge does not exist"),
        ({**NETWORKS, "sentinel": False}, "sentinel is of the other kind"),
    ],
)
def test_a_network_that_is_gone_or_lost_its_kind_is_named(networks: dict[str, bool], detail: str) -> None:
    assert (
        docker_checks.of_networks(expected("sentinel"), DockerState(SENTINEL_SERVES.found, networks)).detail == detail
    )


def test_whoever_is_not_on_a_network_any_more_is_named() -> None:
    state = with_one(SENTINEL_SERVES, "mcp-sqlite", attachments=(Attachment("sentinel", True),))
    assert docker_checks.of_networks(expected("sentinel"), state).detail == "mcp-sqlite is not on forge_net"
    assert "is not on sentinel-edge" in docker_checks.of_networks(expected("sentinel"), FORGE_SERVES).detail


def test_a_standby_on_the_edge_is_not_well() -> None:
    state = with_one(FORGE_SERVES, "sentinel-gateway-1", attachments=GATEWAY.attachments)
    assert "is in standby, yet is on sentinel-edge" in docker_checks.of_networks(expected("contextforge"), state).detail


@pytest.mark.parametrize(
    ("state", "detail"),
    [
        (FORGE_SERVES, "forge has it, sentinel-gateway-1 should"),
        (DockerState([GATEWAY, FORGE], NETWORKS), "sentinel-gateway-1 and forge has it, sentinel-gateway-1 should"),
    ],
    ids=["wrong", "two"],
)
def test_the_wrong_owner_of_the_port_or_two_are_final(state: DockerState, detail: str) -> None:
    row = docker_checks.of_port(expected("sentinel"), state)
    assert (row.ok, row.detail, row.final) == (False, detail, True)


def test_nobody_on_the_port_may_still_come() -> None:
    row = docker_checks.of_port(expected("sentinel", port=65000), DockerState([STANDBY], NETWORKS))
    assert (row.ok, row.detail, row.final) == (False, "nobody has it, sentinel-gateway-1 should", False)


def test_the_marker_holds_what_runs_and_will_run_again_beside_the_gateways() -> None:
    state = DockerState(
        [
            *SENTINEL_SERVES.found,
            container("stays-down", "sentinel", restart=("no", 0)),
            container("other", "forge_net"),
        ],
        NETWORKS,
    )
    found = docker_checks.running_before(state, expected("sentinel"))
    assert found == {"sentinel-postgres": ["sentinel"], "mcp-sqlite": ["forge_net", "sentinel"]}
    of_project = DockerState([replace(container("redis", "forge_net"), project="forge")], NETWORKS)
    assert docker_checks.running_before(of_project, expected("sentinel")) == {"redis": ["forge_net"]}


def test_a_nightly_script_that_lost_its_block_is_reported(tmp_path: Path) -> None:
    cron = tmp_path / "cron.d"
    cron.mkdir()
    script = tmp_path / "nightly.sh"
    script.write_text("#!/bin/sh\nset -eu\n")
    (tmp_path / "marks").mkdir()
    job = replace(nightly_request(tmp_path), script=str(script))
    scheduler = Scheduler("cron", str(tmp_path), str(cron))
    request = expected("sentinel", scheduler=scheduler, nightly_request=job.request_file)
    assert host_checks.of_jobs(request).detail.endswith("sentinel-cutover-reboot-check is gone")
    installer.install(request.job)
    assert host_checks.of_jobs(request).detail == "cron runs the next check"
    nightly.install(job)
    assert host_checks.of_jobs(request).ok
    script.write_text("#!/bin/sh\nset -eu\n")
    row = host_checks.of_jobs(request)
    assert (row.detail, row.final) == (f"{script} has lost its block, so no nightly job runs", True)
