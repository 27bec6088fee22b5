"""The texts of an alert: severity, summary, first check, its panel, and its heading in docs/alerts.md."""

from __future__ import annotations

import re
from typing import Any

import pytest

from console.paths import ROOT
from dashboards.alerting.rules import Alert, alerts, heading, rules_file
from settings.operations_sections import Alerts

ALERTS = alerts(Alerts())
RULES: list[dict[str, Any]] = rules_file(Alerts(), paused=False)["groups"][0]["rules"]
EACH_RULE = pytest.mark.parametrize("rule", RULES, ids=[rule["title"] for rule in RULES])


@EACH_RULE
def test_the_runbook_has_the_heading_that_the_alert_links_to(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    text = (ROOT / page).read_text(encoding="utf-8")
    headings = {heading(found) for found in re.findall(r"^## (.+)$", text, re.MULTILINE)}
    assert anchor in headings
    section = text.split(f"## {rule['title']}\n")[1].split("\n## ")[0]
    assert re.findall(r"^\*\*(.+?)\.\*\*", section, re.MULTILINE) == ["Meaning", "Impact", "First check", "Fix"]


def test_every_heading_is_that_of_an_alert() -> None:
    text = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [alert.title for alert in ALERTS]


@EACH_RULE
def test_a_rule_has_severity_summary_and_first_check(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"] and rule["annotations"]["description"]


@pytest.mark.parametrize("alert", ALERTS, ids=[alert.title for alert in ALERTS])
def test_no_data_and_errors_are_reported_once_by_the_gateways_rule(alert: Alert) -> None:
    expected = ("Alerting", "Alerting") if alert.title == "Gateway down" else ("OK", "KeepLast")
    assert (alert.no_data, alert.on_error) == expected


def test_rules_are_paused_while_sentinel_is_stopped_on_purpose() -> None:
    assert all(rule["isPaused"] for rule in rules_file(Alerts(), paused=True)["groups"][0]["rules"])
    assert not any(rule["isPaused"] for rule in RULES)


def test_the_alerts_of_the_nightly_job_are_paused_without_one() -> None:
    rules = rules_file(Alerts(), paused=False, nightly=False)["groups"][0]["rules"]
    assert [rule["title"] for rule in rules if rule["isPaused"]] == [
        "Backup too old",
        "Rollback not possible",
        "Token ends soon",
        "Token ends",
    ]


def test_thresholds_are_those_of_the_settings() -> None:
    chosen = {alert.title: alert for alert in alerts(Alerts(error_share=0.25, gateway_minutes=3, latency_seconds=2.5))}
    assert chosen["Calls fail"].threshold == 0.25
    assert chosen["Gateway down"].seconds == 180
    assert {alert.title: alert for alert in alerts(Alerts(backup_hours=50))}["Backup too old"].threshold == 50
    assert 'le=~"2.5"' in chosen["Calls are slow"].expression
