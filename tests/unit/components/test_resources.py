"""Memory and CPU come from Docker's statistics, which one setting switches off with everything that shows them."""

from __future__ import annotations

import json

import pytest
import yaml

from settings import load
from settings.model import SECRET_KEYS
from tests.unit.components.registration import register
from tests.unit.settings.cases import configuration


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"resources.enabled": "false"}, False),
        ({"prometheus.enabled": "false", "grafana.enabled": "false"}, False),
    ],
)
def test_the_statistics_are_read_where_they_are_enabled_and_prometheus_keeps_them(
    changes: dict[str, str], expected: bool
) -> None:
    program = register(changes)
    assert ("resources-kept" in {one.name for one in program.resources.values()}) is expected


def test_the_statistics_wait_for_prometheus_and_no_gateway_waits_for_them() -> None:
    program = register()
    kept = program.named("resources-kept")
    assert program.named("sentinel-prometheus-container").urn in program.all_before(kept.urn)
    assert not [one for one in program.resources.values() if kept.urn in one.after]
    document = json.loads(kept.inputs["stdin"])
    assert document["file"] == "/var/lib/sentinel-cutover/sentinel-prometheus-marks/resources.txt"
    assert (document["target_mb"], document["scheduler"]["kind"]) == (
        load(configuration(), SECRET_KEYS).alerts.memory_target_mb,
        "auto",
    )


def test_prometheus_serves_the_hosts_file_and_mounts_no_socket() -> None:
    declared = register().named("sentinel-prometheus-container").inputs
    assert "--web.user-assets=/etc/prometheus/marks" in declared["command"]
    assert "/etc/prometheus/marks" in [mount["target"] for mount in declared["mounts"]]
    assert not [mount for mount in declared["mounts"] if "docker" in mount["source"]]


@pytest.mark.parametrize(("enabled", "there"), [("true", True), ("false", False)])
def test_the_second_dashboard_and_its_alert_are_there_where_there_are_figures(enabled: str, there: bool) -> None:
    files = json.loads(
        register({"resources.enabled": enabled}).named("sentinel-grafana-files-written").inputs["stdin"]["value"]
    )["files"]
    contents = {one["name"]: one["content"] for one in files}
    assert ("etc-grafana-dashboards-sentinel-resources.json" in contents) is there
    (group,) = yaml.safe_load(contents["etc-grafana-provisioning-alerting-rules.yaml"])["groups"]
    paused = {rule["title"]: rule["isPaused"] for rule in group["rules"]}
    assert paused["Memory above target"] is not there and not paused["Gateway down"]
