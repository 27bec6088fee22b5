"""The committed dashboard is that of the code; each of its five panels has a description with the fix."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dashboards import dashboard, panels, resources
from dashboards.alerting.rules import DASHBOARD_UID, PROMETHEUS_UID, alerts
from dashboards.dashboard_file import FILE, RESOURCES_FILE, RESOURCES_UID, UID
from settings.operations_sections import Alerts

TEXT, RESOURCES_TEXT = panels.text(dashboard.dashboard()), panels.text(resources.dashboard())
PANELS: list[dict[str, Any]] = json.loads(TEXT)["panels"]
RESOURCES: list[dict[str, Any]] = json.loads(RESOURCES_TEXT)["panels"]
EACH_PANEL = pytest.mark.parametrize("panel", PANELS, ids=[panel["title"] for panel in PANELS])
EACH_OF_BOTH = pytest.mark.parametrize(
    "panel", [*PANELS, *RESOURCES], ids=[panel["title"] for panel in [*PANELS, *RESOURCES]]
)


def test_the_committed_files_are_those_of_the_code() -> None:
    assert FILE.read_text(encoding="utf-8") == TEXT, "run make dashboards and commit the file"
    assert RESOURCES_FILE.read_text(encoding="utf-8") == RESOURCES_TEXT, "run make dashboards and commit the file"


def test_there_are_exactly_five_panels_with_ids_that_links_can_name() -> None:
    assert [panel["id"] for panel in PANELS] == [1, 2, 3, 4, 5]


@EACH_OF_BOTH
def test_a_panel_has_unit_or_states_legend_and_a_description_with_the_fix(panel: dict[str, Any]) -> None:
    assert len(panel["description"]) > 80
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults.get("unit") or defaults.get("mappings")
    assert defaults["thresholds"]["steps"][0].get("value") is None
    assert all(target["legendFormat"] and target["expr"] and target["range"] for target in panel["targets"])
    assert panel["datasource"] == {"type": "prometheus", "uid": PROMETHEUS_UID}


@EACH_PANEL
def test_a_panel_follows_the_variables(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        # The bridge's own figures belong to no tool.
        assert "$tool" in target["expr"] or "$backend" in target["expr"] or "sentinel_bridge_" in target["expr"]


def test_every_alert_links_to_an_existing_panel() -> None:
    assert DASHBOARD_UID == UID
    existing = {(UID, panel["id"]) for panel in PANELS} | {(RESOURCES_UID, panel["id"]) for panel in RESOURCES}
    assert {(alert.dashboard, alert.panel) for alert in alerts(Alerts())} <= existing


def test_cutovers_rollbacks_and_new_versions_are_annotated() -> None:
    assert [one["name"] for one in json.loads(TEXT)["annotations"]["list"]] == ["Cutovers", "Rollbacks", "New versions"]
