"""Attack: take over a process in one of the product's containers and go from there to the host.

Defence: no privilege, capability, writable root, new privilege, Docker socket or limitless memory to go with. The
gateway's container alone begins as root, with three capabilities: its supervisor gives every process another user.
"""

from __future__ import annotations

from typing import Any

import pytest

from hostctl.sentinel import PROCESSES
from tests.lab.security.course import Course

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]


@pytest.fixture
def inspected(course: Course) -> dict[str, Any]:
    """By name, what `docker inspect` says of each container of the product after the cutover."""
    assert {"sentinel-postgres"} < set(course.containers)
    assert any(name.startswith("sentinel-gateway-") for name in course.containers)
    return course.containers


def of_each(inspected: dict[str, Any], *path: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, found in inspected.items():
        for key in path:
            found = found[key]
        values[name] = found
    return values


SUPERVISORS = ["CAP_KILL", "CAP_SETGID", "CAP_SETUID"]


def test_none_is_privileged_or_has_a_capability(inspected: dict[str, Any]) -> None:
    """But for the gateway's supervisor, which needs three to start each backend as a user of its own."""
    assert not any(of_each(inspected, "HostConfig", "Privileged").values())
    assert all(found == ["ALL"] for found in of_each(inspected, "HostConfig", "CapDrop").values())
    for name, added in of_each(inspected, "HostConfig", "CapAdd").items():
        assert sorted(added or []) == (SUPERVISORS if name.startswith("sentinel-gateway-") else []), name


def test_none_can_gain_privileges_or_write_its_own_root(inspected: dict[str, Any]) -> None:
    assert all("no-new-privileges:true" in found for found in of_each(inspected, "HostConfig", "SecurityOpt").values())
    assert all(of_each(inspected, "HostConfig", "ReadonlyRootfs").values())


def test_each_runs_as_a_user_of_its_own_and_not_as_root(inspected: dict[str, Any]) -> None:
    users = of_each(inspected, "Config", "User")
    numbers = {name: user.split(":")[0] for name, user in users.items()}
    assert all(number.isdigit() for number in numbers.values()), users
    as_root = [name for name, number in numbers.items() if number == "0"]
    assert all(name.startswith("sentinel-gateway-") for name in as_root), users


def test_each_has_a_limit_of_memory_and_no_swap_beside_it(inspected: dict[str, Any]) -> None:
    limits, with_swap = (of_each(inspected, "HostConfig", key) for key in ("Memory", "MemorySwap"))
    assert all(limit > 0 for limit in limits.values())
    assert limits == with_swap


def test_the_one_that_runs_other_makers_servers_has_a_limit_of_processes(inspected: dict[str, Any]) -> None:
    limits = of_each(inspected, "HostConfig", "PidsLimit")
    assert [limit for name, limit in limits.items() if name.startswith("sentinel-gateway-")] == [PROCESSES]


def test_none_sees_dockers_socket_or_shares_a_namespace_of_the_host(inspected: dict[str, Any]) -> None:
    for found in inspected.values():
        assert not [one for one in found["Mounts"] if "docker.sock" in one["Source"] + one["Destination"]]
        assert all(not one["RW"] for one in found["Mounts"] if one["Type"] == "bind")
        assert "host" not in (found["HostConfig"]["NetworkMode"], found["HostConfig"]["PidMode"])
        assert not found["HostConfig"]["Devices"]


def test_published_ports_are_on_loopback_only(inspected: dict[str, Any]) -> None:
    bindings: list[str] = []
    for found in inspected.values():
        published: dict[str, list[dict[str, str]] | None] = found["NetworkSettings"]["Ports"] or {}
        bindings += [binding["HostIp"] for ports in published.values() for binding in ports or ()]
    assert bindings
    assert set(bindings) == {"127.0.0.1"}
