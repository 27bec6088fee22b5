"""The operator's monitoring: Grafana as provisioned, a test message by the alerts' path, a picture, its cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dashboards.alerting.rules import alerts as rules_of
from dashboards.dashboard_file import UID
from lab.benchmarks import alerts, monitoring
from lab.box import Place
from lab.doubles.discord import running as discord
from lab.real.contextforge.http_call import call
from settings import Settings
from tests.lab.cutover.conftest import Lab

pytestmark = pytest.mark.lab


def grafana(lab: Lab, settings: Settings, path: str) -> Any:
    answer = alerts.ask_grafana(lab.box, settings, path)
    assert answer.status == 200, answer
    return answer.body


def test_grafana_has_the_data_source_the_five_panels_and_every_rule_in_good_health(
    deployed: Lab, settings: Settings
) -> None:
    (source,) = grafana(deployed, settings, "/api/datasources")
    assert (source["uid"], source["url"], source["readOnly"]) == ("prometheus", "http://prometheus:9090", True)
    board = grafana(deployed, settings, f"/api/dashboards/uid/{UID}")
    assert len(board["dashboard"]["panels"]) == 5 and board["meta"]["provisioned"] is True
    groups = grafana(deployed, settings, alerts.RULES)["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) == len(rules_of(settings.alerts)) and {rule["health"] for rule in rules} <= {"ok", "nodata"}
    (point,) = [
        one for one in grafana(deployed, settings, "/api/v1/provisioning/contact-points") if one["type"] == "discord"
    ]
    assert point["settings"]["url"] == "[REDACTED]"


def test_without_the_admins_password_nothing_is_shown(deployed: Lab, settings: Settings) -> None:
    for basic in ("", "admin:admin"):
        answer = call(deployed.box, "GET", "/api/datasources", basic=basic, port=settings.grafana.port)
        assert answer.status == 401


def test_a_marked_message_arrives_by_grafana(deployed: Lab) -> None:
    drill = deployed.ops("alert-drill")
    assert drill["ok"] is True
    assert {row["route"]: row["result"] for row in drill["routes"]}["grafana"] == "sent"
    assert f"Alert test {drill['mark']}: nothing is wrong" in discord.messages(Place())[-1]["content"]


def test_the_panels_are_drawn_from_the_stacks_prometheus(deployed: Lab) -> None:
    drawn = deployed.ops("dashboard-picture", "--minutes", "10")
    with Image.open(Path(drawn["file"])) as picture:
        assert picture.format == "PNG" and picture.size[0] > 1000


def test_what_watches_stays_below_its_limits(deployed: Lab) -> None:
    found = monitoring.memory(deployed.box)
    assert set(found) == {"sentinel-prometheus", "sentinel-grafana"}
    assert all(0 < one["used"] < monitoring.CONTAINERS[name] for name, one in found.items())
