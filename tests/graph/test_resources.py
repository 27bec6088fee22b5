"""Where memory and CPU come from is one setting, and each way brings exactly its own parts."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.graph.registration import Registration, register

EITHER = {"resources-kept", "sentinel-cadvisor-container", "sentinel-cadvisor-image"}


def parts(program: Registration) -> set[str]:
    return {one.name for one in program.resources.values()} & EITHER


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("statistics", {"resources-kept"}),
        ("cadvisor", {"sentinel-cadvisor-container", "sentinel-cadvisor-image"}),
        ("off", set[str]()),
    ],
)
def test_each_way_has_its_own_parts(source: str, expected: set[str]) -> None:
    assert parts(register({"resources.source": source})) == expected


def test_the_statistics_wait_for_prometheus_and_no_gateway_waits_for_them() -> None:
    program = register()
    kept = program.named("resources-kept")
    assert program.named("sentinel-prometheus-container").urn in program.all_before(kept.urn)
    assert not [one for one in program.resources.values() if kept.urn in one.after]
    document = json.loads(kept.inputs["stdin"])
    assert document["file"] == "/var/lib/sentinel-cutover/sentinel-prometheus-marks/resources.txt"
    assert (document["target_mb"], document["trigger"]) == (100, "systemd")


def test_prometheus_serves_the_hosts_file_and_mounts_no_socket() -> None:
    declared = register().named("sentinel-prometheus-container").inputs
    assert "--web.user-assets=/etc/prometheus/marks" in declared["command"]
    assert "/etc/prometheus/marks" in [mount["target"] for mount in declared["mounts"]]
    assert not [mount for mount in declared["mounts"] if "docker" in mount["source"]]


def test_cadvisor_is_as_hardened_as_it_can_be_and_publishes_nothing() -> None:
    program = register({"resources.source": "cadvisor"})
    declared = program.named("sentinel-cadvisor-container").inputs
    assert declared["ports"] == []
    assert [network["name"] for network in declared["networksAdvanced"]] == ["sentinel"]
    assert declared["readOnly"] is True and not declared.get("privileged")
    assert declared["capabilities"]["drops"] == ["ALL"]
    mounts = {mount["target"]: mount for mount in declared["mounts"]}
    assert set(mounts) == {"/rootfs", "/var/run", "/sys", "/var/lib/docker"}
    assert all(mount["readOnly"] for mount in mounts.values())
    assert "--docker_only=true" in declared["command"]
    assert "--whitelisted_container_labels=sentinel-cutover" in declared["command"]
    assert declared["memory"] == declared["memorySwap"] == 128


@pytest.mark.parametrize(("source", "there"), [("statistics", True), ("cadvisor", True), ("off", False)])
def test_the_second_dashboard_and_its_alert_are_there_where_there_are_figures(source: str, there: bool) -> None:
    files = json.loads(
        register({"resources.source": source}).named("sentinel-grafana-files-written").inputs["stdin"]["value"]
    )["files"]
    contents = {one["name"]: one["content"] for one in files}
    assert ("etc-grafana-dashboards-sentinel-resources.json" in contents) is there
    (group,) = yaml.safe_load(contents["etc-grafana-provisioning-alerting-rules.yaml"])["groups"]
    paused = {rule["title"]: rule["isPaused"] for rule in group["rules"]}
    assert paused["Memory above target"] is not there and not paused["Gateway down"]
