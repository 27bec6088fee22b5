"""What a boot may leave, and what each look says of it: worlds made by hand, no Docker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hostctl import nightly
from hostctl.core.documents import Document
from hostctl.docker.containers import Attachment, Container
from hostctl.reboot_check import checks as looks
from hostctl.reboot_check.checks import Asked, Seen
from hostctl.schedule import at_boot

NETWORKS = {"sentinel": True, "sentinel-edge": False, "forge_net": False}


def container(name: str, *networks: str, **facts: Any) -> Container:
    attachments = tuple(Attachment(network, NETWORKS[network]) for network in networks)
    return Container(
        **{"id": name, "name": name, "restart": ("unless-stopped", 0), "attachments": attachments, **facts}
    )


def asked(active: str, **changes: Any) -> Asked:
    found = Asked(
        docker_socket="", active=active, sentinel="sentinel-gateway-1", standby=True, predecessor="forge", project="forge",
        internal="sentinel", edge="sentinel-edge", port=9200, health_port=9201,
        containers=("sentinel-postgres", "mcp-sqlite"), before={"mcp-sqlite": ["forge_net", "sentinel"]}, firewall={},
        prometheus_port=0, jobs=(), grafana_port=0, night_folder="", claude={}, probes=(),
    )  # fmt: skip
    return replace(found, **changes)


GATEWAY = container("sentinel-gateway-1", "sentinel", "sentinel-edge", role="gateway", published=(9200, 9201))
STANDBY = container("sentinel-gateway-1", "sentinel", role="gateway")
FORGE = container("forge", "forge_net", published=(9200,))
OUT = container("forge", running=False, restart=("no", 0))
OTHERS = [container("sentinel-postgres", "sentinel"), container("mcp-sqlite", "forge_net", "sentinel")]
SENTINEL_SERVES = Seen([GATEWAY, OUT, *OTHERS], NETWORKS)
FORGE_SERVES = Seen([STANDBY, FORGE, *OTHERS], NETWORKS)


def with_one(world: Seen, name: str, **changes: Any) -> Seen:
    return Seen([replace(one, **changes) if one.name == name else one for one in world.found], world.networks)


def without(world: Seen, name: str) -> Seen:
    return Seen([one for one in world.found if one.name != name], world.networks)


@pytest.mark.parametrize(
    ("active", "world"), [("sentinel", SENTINEL_SERVES), ("contextforge", FORGE_SERVES)], ids=["sentinel", "forge"]
)
def test_the_world_as_it_should_be_is_well(active: str, world: Seen) -> None:
    for row in (looks.of_containers(asked(active), world), looks.of_networks(asked(active), world)):
        assert (row.ok, row.final) == (True, False), row


@pytest.mark.parametrize(
    ("changes", "told", "final"),
    [
        ({"running": False, "restart": ("no", 0)}, "mcp-sqlite does not run, and its restart policy is no", True),
        ({"running": False}, "mcp-sqlite does not run", False),
        ({"paused": True}, "mcp-sqlite is still paused", True),
        ({"restarting": True}, "mcp-sqlite ends and is started again", False),
        ({"health": "starting"}, "mcp-sqlite is starting", False),
    ],
)
def test_a_container_that_is_not_well_is_named_and_waited_for_only_where_that_can_help(
    changes: dict[str, Any], told: str, final: bool
) -> None:
    row = looks.of_containers(asked("sentinel"), with_one(SENTINEL_SERVES, "mcp-sqlite", **changes))
    assert (row.ok, row.detail, row.final) == (False, told, final)


def test_a_paused_predecessor_that_is_still_paused_after_the_boot_is_not_well() -> None:
    world = with_one(SENTINEL_SERVES, "forge", running=True, paused=True)
    assert looks.of_containers(asked("sentinel"), world).detail == "forge is still paused"


def test_a_predecessor_that_came_up_beside_sentinel_is_not_well() -> None:
    world = with_one(SENTINEL_SERVES, "forge", running=True, restart=("always", 0))
    row = looks.of_containers(asked("sentinel"), world)
    assert (row.detail, row.final) == ("forge runs beside Sentinel (restart policy always)", True)


def test_a_predecessor_that_is_gone_takes_the_rollback_with_it() -> None:
    assert "no rollback" in looks.of_containers(asked("sentinel"), without(SENTINEL_SERVES, "forge")).detail
    assert looks.of_containers(asked("sentinel", predecessor=""), without(SENTINEL_SERVES, "forge")).ok


def test_a_standby_that_did_not_come_back_is_not_well_unless_it_was_to_rest() -> None:
    world = without(FORGE_SERVES, "sentinel-gateway-1")
    assert looks.of_containers(asked("contextforge"), world).detail == "sentinel-gateway-1 does not exist"
    assert looks.of_containers(asked("contextforge", standby=False), world).ok


@pytest.mark.parametrize(
    ("networks", "told"),
    [
        ({"sentinel": True}, "sentinel-edge does not exist"),
        ({**NETWORKS, "sentinel": False}, "sentinel is of the other kind"),
    ],
)
def test_a_network_that_is_gone_or_lost_its_kind_is_named(networks: dict[str, bool], told: str) -> None:
    assert looks.of_networks(asked("sentinel"), Seen(SENTINEL_SERVES.found, networks)).detail == told


def test_whoever_is_not_on_a_network_any_more_is_named() -> None:
    world = with_one(SENTINEL_SERVES, "mcp-sqlite", attachments=(Attachment("sentinel", True),))
    assert looks.of_networks(asked("sentinel"), world).detail == "mcp-sqlite is not on forge_net"
    assert "is not on sentinel-edge" in looks.of_networks(asked("sentinel"), FORGE_SERVES).detail


def test_a_standby_on_the_edge_is_not_well() -> None:
    world = with_one(FORGE_SERVES, "sentinel-gateway-1", attachments=GATEWAY.attachments)
    assert "stands by and is on sentinel-edge" in looks.of_networks(asked("contextforge"), world).detail


@pytest.mark.parametrize(
    ("world", "told"),
    [
        (FORGE_SERVES, "forge has it, sentinel-gateway-1 should"),
        (Seen([GATEWAY, FORGE], NETWORKS), "sentinel-gateway-1 and forge has it, sentinel-gateway-1 should"),
    ],
    ids=["wrong", "two"],
)
def test_the_wrong_owner_of_the_port_or_two_are_final(world: Seen, told: str) -> None:
    row = looks.of_port(asked("sentinel"), world)
    assert (row.ok, row.detail, row.final) == (False, told, True)


def test_nobody_on_the_port_may_still_come() -> None:
    row = looks.of_port(asked("sentinel", port=65000), Seen([STANDBY], NETWORKS))
    assert (row.ok, row.detail, row.final) == (False, "nobody has it, sentinel-gateway-1 should", False)


def test_the_marker_holds_what_runs_and_will_run_again_beside_the_gateways() -> None:
    world = Seen(
        [
            *SENTINEL_SERVES.found,
            container("stays-down", "sentinel", restart=("no", 0)),
            container("other", "forge_net"),
        ],
        NETWORKS,
    )
    found = looks.running_before(world, asked("sentinel"))
    assert found == {"sentinel-postgres": ["sentinel"], "mcp-sqlite": ["forge_net", "sentinel"]}
    of_project = Seen([replace(container("redis", "forge_net"), project="forge")], NETWORKS)
    assert looks.running_before(of_project, asked("sentinel")) == {"redis": ["forge_net"]}


def test_a_nightly_script_that_lost_its_block_is_told(tmp_path: Path) -> None:
    boot = at_boot.BootEntry("cron", str(tmp_path / "entry"), "x")
    (tmp_path / "entry").write_text("x")
    assert looks.of_timers(boot, str(tmp_path)).detail == "cron runs the next check"
    script = tmp_path / "nightly.sh"
    script.write_text("#!/bin/sh\nset -eu\n")
    document = Document(
        {
            "folder": str(tmp_path), "program": "/opt/hostctl.pyz",
            "trigger": {"kind": "script", "script": str(script), "at": "03:17"},
        }
    )  # fmt: skip
    nightly.install(document)
    assert looks.of_timers(boot, str(tmp_path)).ok
    script.write_text("#!/bin/sh\nset -eu\n")
    row = looks.of_timers(boot, str(tmp_path))
    assert (row.detail, row.final) == (f"{script} has lost its block, so no night runs", True)
