"""The hardening that every container shares, and the options without which the published plugin goes wrong."""

from __future__ import annotations

import pytest

from components.base.container import Port, go_duration
from tests.unit.components.registration import Registered, Registration, register

CONTAINER = "docker:index/container:Container"
CONTAINERS = [
    "sentinel-postgres-container",
    "sentinel-gateway",
    "sentinel-prometheus-container",
    "sentinel-grafana-container",
]


@pytest.fixture(scope="module")
def program() -> Registration:
    return register()


def test_the_list_of_containers_in_this_file_is_complete(program: Registration) -> None:
    assert sorted(one.name for one in program.resources.values() if one.type == CONTAINER) == sorted(CONTAINERS)


@pytest.fixture(params=CONTAINERS)
def container(request: pytest.FixtureRequest, program: Registration) -> Registered:
    return program.named(str(request.param))


def test_a_container_is_hardened(container: Registered) -> None:
    declared = container.inputs
    assert declared["capabilities"]["drops"] == ["ALL"]
    first_is_root = container.name == "sentinel-gateway"
    # The bridge's supervisor starts each server as a user of its own, and needs these three for it.
    assert declared["capabilities"].get("adds") == (["CAP_KILL", "CAP_SETGID", "CAP_SETUID"] if first_is_root else None)
    assert declared["securityOpts"] == ["no-new-privileges:true"]
    assert declared["readOnly"] is True
    assert (declared["user"].split(":")[0] == "0") is first_is_root
    assert not declared.get("privileged")
    assert declared["restart"] == "unless-stopped"
    assert (declared["logDriver"], declared["logOpts"]) == ("json-file", {"max-size": "10m", "max-file": "3"})
    assert declared["healthcheck"]["tests"][0] == "CMD"


def test_memory_is_limited_and_swap_is_given_so_that_no_later_preview_shows_a_change(container: Registered) -> None:
    assert container.inputs["memory"] == container.inputs["memorySwap"] > 0


def test_what_the_plugin_would_update_without_effect_replaces(container: Registered) -> None:
    assert set(container.options.replaceOnChanges) >= {"healthcheck", "tmpfs", "init"}


def test_whoever_stops_it_gives_it_the_same_time(container: Registered) -> None:
    dockers_own = 10
    assert (container.inputs.get("stopTimeout") or dockers_own) == container.inputs["destroyGraceSeconds"]


def test_files_are_mounted_read_only_and_never_uploaded(container: Registered) -> None:
    assert "uploads" not in container.inputs
    assert all(mount["readOnly"] is True and mount["type"] == "bind" for mount in container.inputs["mounts"])


def test_no_secret_stands_in_the_environment(container: Registered) -> None:
    environment = "\n".join(container.inputs["envs"])
    assert "jjjj" not in environment
    assert "pppp" not in environment


def test_what_publishes_does_so_on_loopback_only(program: Registration) -> None:
    assert program.named("sentinel-postgres-container").inputs["ports"] == []
    ports = program.named("sentinel-gateway").inputs["ports"]
    assert [(port["ip"], port["external"]) for port in ports] == [("127.0.0.1", 9200), ("127.0.0.1", 9201)]
    ports = program.named("sentinel-prometheus-container").inputs["ports"]
    assert [(port["ip"], port["external"]) for port in ports] == [("127.0.0.1", 9090)]
    ports = program.named("sentinel-grafana-container").inputs["ports"]
    assert [(port["ip"], port["external"]) for port in ports] == [("127.0.0.1", 3100)]


def test_only_what_publishes_before_the_handover_is_on_the_edge_by_its_own_declaration(program: Registration) -> None:
    on_edge = {
        name
        for name in CONTAINERS
        for network in program.named(name).inputs["networksAdvanced"]
        if network["name"] == "sentinel-edge"
    }
    assert on_edge == {"sentinel-prometheus-container", "sentinel-grafana-container"}


def test_sentinel_is_declared_not_started_and_made_beside_the_one_that_serves(program: Registration) -> None:
    gateway = program.named("sentinel-gateway")
    assert (gateway.inputs["start"], gateway.inputs["mustRun"]) == (False, False)
    assert "name" not in gateway.inputs
    assert gateway.options.deleteBeforeReplaceDefined and not gateway.options.deleteBeforeReplace
    assert list(gateway.options.ignoreChanges) == ["ports"]
    labels = {label["label"]: label["value"] for label in gateway.inputs["labels"]}
    assert labels["sentinel-cutover.ports"] == "127.0.0.1:9200:9200,127.0.0.1:9201:9201"


@pytest.mark.parametrize("volume", ["sentinel-postgres-data", "sentinel-prometheus-data", "sentinel-grafana-data"])
def test_a_volume_is_kept_by_every_destroy(program: Registration, volume: str) -> None:
    assert program.named(volume).options.retainOnDelete is True


@pytest.mark.parametrize("container", [name for name in CONTAINERS if name != "sentinel-gateway"])
def test_what_has_a_fixed_name_and_a_volume_is_replaced_delete_first(program: Registration, container: str) -> None:
    assert program.named(container).options.deleteBeforeReplace is True


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59, "59s"), (60, "1m0s"), (90, "1m30s"), (3600, "1h0m0s"), (3725, "1h2m5s")]
)
def test_a_duration_is_spelled_as_go_gives_it_back(seconds: int, text: str) -> None:
    assert go_duration(seconds) == text


@pytest.mark.parametrize("address", ["0.0.0.0", "203.0.113.10", "::", "::1", "127.0.0.2"])
def test_a_port_off_loopback_cannot_be_declared(address: str) -> None:
    with pytest.raises(ValueError, match=f"on 127.0.0.1 only, not on {address}"):
        Port(address, 9200, 9200)
