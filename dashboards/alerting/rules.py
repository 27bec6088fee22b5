"""The alerts: the query, condition and message of each.

Owns: expressions, thresholds, waits, states for no data and for errors, messages. Thresholds come from the settings.
Deliberately does not: spell Discord's messages (discord.py).

Field names are those of Grafana's file provisioning (`reference/formats.md`, section 1), not its HTTP API's, which the
foundation SDK builds.

States without a value to compare:

- Each expression but `backend_healthy` reads 0 where its series are absent, so "no data" means that the query returned
  nothing. For the gateway that is an alert; for the others it is OK, since the gateway's alert reports it already.
- An error of the data source (Prometheus is down) is reported once, by the gateway's rule, since nothing then shows
  whether it serves. The others keep their last state: no false recovery, no second message about one cause.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dashboards import queries
from dashboards.dashboard_file import RESOURCES_UID
from dashboards.dashboard_file import UID as DASHBOARD_UID
from settings.names import ALERTS_PAGE
from settings.operations_sections import Alerts

FOLDER = "Sentinel"
GROUP = "sentinel"
PROMETHEUS_UID = "prometheus"
_EXPRESSION = "__expr__"
_RANGE_SECONDS = 600
_MEGABYTE = 1024 * 1024
MEMORY_MINUTES = 10
BACKUP_SECONDS = 600
"""Long enough for the nightly job to be installed after a cutover."""

SLOW_CALLS = 0.01
"""The share of slower calls above which p99 exceeds the threshold."""


@dataclass(frozen=True)
class Alert:
    """One alert: it fires when `expression` has been `comparison` `threshold` for `seconds`."""

    title: str
    expression: str
    comparison: Literal["gt", "lt"]
    threshold: float
    seconds: int
    severity: Literal["critical", "warning"]
    panel: int
    summary: str
    first_check: str
    no_data: Literal["OK", "Alerting"] = "OK"
    on_error: Literal["KeepLast", "Alerting"] = "KeepLast"
    dashboard: str = DASHBOARD_UID
    needs_nightly: bool = False

    @property
    def uid(self) -> str:
        """Its name in Grafana, made of its title."""
        return f"sentinel-{heading(self.title)}"


def heading(title: str) -> str:
    """A title as the anchor of its own heading: `Gateway down` is `gateway-down`."""
    return re.sub(r"[^a-z0-9-]", "", title.lower().replace(" ", "-"))


def alerts(settings: Alerts) -> tuple[Alert, ...]:
    """All of them, with the thresholds of the settings."""
    error_window = queries.window(settings.error_minutes * 60)
    return (
        Alert(
            title="Gateway down",
            expression=queries.gateway_up(),
            comparison="lt",
            threshold=1,
            seconds=int(settings.gateway_minutes * 60),
            severity="critical",
            panel=1,
            summary="Sentinel does not answer on its metrics port, or serves no client, or Prometheus does not answer.",
            first_check="make status; then docker ps and docker logs of the container sentinel-gateway-*.",
            no_data="Alerting",
            on_error="Alerting",
        ),
        Alert(
            title="Backend unhealthy",
            expression=queries.backend_healthy(),
            comparison="lt",
            threshold=1,
            seconds=int(settings.backend_minutes * 60),
            severity="critical",
            panel=4,
            summary="Backend {{ $labels.backend }} is unhealthy: its tools fail, the others serve.",
            first_check="make verify shows the backend's answer; for a sidecar, docker ps.",
        ),
        Alert(
            title="Calls fail",
            expression=queries.failed_share(error_window),
            comparison="gt",
            threshold=settings.error_share,
            seconds=0,
            severity="warning",
            panel=3,
            summary=f"More than {settings.error_share:.0%} of calls failed in {error_window}.",
            first_check="The panel shows the error's type; make verify names the backend.",
        ),
        Alert(
            title="Calls are slow",
            expression=queries.slow_share(error_window, settings.latency_seconds),
            comparison="gt",
            threshold=SLOW_CALLS,
            seconds=0,
            severity="warning",
            panel=2,
            summary=f"p99 is above {settings.latency_seconds:g} s: more than 1 % of the calls in {error_window} took "
            "or waited longer. The histogram ends at 10 s; exact times are in the audit log.",
            first_check="The latency panel by tool; then the backend that owns the tool.",
        ),
        Alert(
            title="Audit rows lost",
            expression=queries.audit_rows_lost(error_window),
            comparison="gt",
            threshold=0,
            seconds=0,
            severity="warning",
            panel=3,
            summary=f"Calls of the last {error_window} are not in the audit log: the gateway dropped their rows.",
            first_check="docker logs of sentinel-postgres, then of the container sentinel-gateway-*: audit.",
        ),
        Alert(
            title="Backup too old",
            expression=queries.backup_age_hours(),
            comparison="gt",
            threshold=settings.backup_hours,
            seconds=BACKUP_SECONDS,
            severity="warning",
            panel=1,
            summary=f"The last good backup of Sentinel's database is older than {settings.backup_hours} h, or its "
            "time is not reported.",
            first_check="The files *.json in the folder nightly of the product's folder; then make backup.",
            needs_nightly=True,
        ),
        Alert(
            title="Rollback not possible",
            expression=queries.rollback_possible(),
            comparison="lt",
            threshold=1,
            seconds=BACKUP_SECONDS,
            severity="warning",
            panel=1,
            summary="ContextForge in standby failed its gates in the last nightly job: a rollback would not serve.",
            first_check="rollback.json in the folder nightly of the product's folder names each gate that failed.",
            needs_nightly=True,
        ),
        _token_ends("Token ends soon", settings.token_warning_days, "warning"),
        _token_ends("Token ends", settings.token_critical_days, "critical"),
        Alert(
            title="Memory above target",
            expression=queries.gateway_memory(),
            comparison="gt",
            threshold=settings.memory_target_mb * _MEGABYTE,
            seconds=MEMORY_MINUTES * 60,
            severity="warning",
            panel=4,
            dashboard=RESOURCES_UID,
            summary=f"Bridge and gateway have used more than {settings.memory_target_mb} MB for "
            f"{MEMORY_MINUTES} minutes.",
            first_check="The panel shows which of the two grew, and since when.",
        ),
        Alert(
            title="Firewall rules lost",
            expression=queries.firewall_unmet(),
            comparison="gt",
            threshold=0,
            seconds=0,
            severity="warning",
            panel=1,
            summary="Rules that keep the guarded ports closed had no effect: flushed, or behind another's. They are "
            "set again once a minute.",
            first_check="make verify; then who reloaded nftables, ufw or firewalld on the host, and when.",
        ),
        Alert(
            title="Disk nearly full",
            expression=f"min({queries.disk_free()})",
            comparison="lt",
            threshold=settings.disk_free_share,
            seconds=MEMORY_MINUTES * 60,
            severity="warning",
            panel=5,
            dashboard=RESOURCES_UID,
            summary=f"Less than {settings.disk_free_share:.0%} of a disk is free: backups and audit rows are at risk.",
            first_check="The panel names the disk; df -h on the host, then docker system df.",
        ),
    )


def _token_ends(title: str, days: float, severity: Literal["critical", "warning"]) -> Alert:
    """An alert on a token that the nightly job, which renews it long before, no longer renews."""
    return Alert(
        title=title,
        expression=queries.token_days_left(),
        comparison="lt",
        threshold=days,
        seconds=BACKUP_SECONDS,
        severity=severity,
        panel=1,
        summary=f"Claude's token ends in less than {days:g} days, and then every call is refused: the nightly job no "
        "longer renews it.",
        first_check="token.json in the folder nightly of the product's folder gives the reason; the link the fix.",
        needs_nightly=True,
    )


def rules_file(settings: Alerts, *, paused: bool, nightly: bool = True, resources: bool = True) -> dict[str, Any]:
    """alerting/rules.yaml. `paused` while Sentinel is stopped on purpose.

    Without the `nightly` job its alert is paused; a rule that is left out would stay in Grafana's own database.
    Without `resources` there is no second dashboard, and the alert on its figures is paused.
    """

    def is_paused(alert: Alert) -> bool:
        without_figures = (alert.needs_nightly and not nightly) or (alert.dashboard == RESOURCES_UID and not resources)
        return paused or without_figures

    group = {
        "orgId": 1,
        "name": GROUP,
        "folder": FOLDER,
        "interval": f"{settings.evaluate_seconds}s",
        "rules": [_rule(alert, is_paused(alert)) for alert in alerts(settings)],
    }
    return {"apiVersion": 1, "groups": [group]}


def _rule(alert: Alert, paused: bool) -> dict[str, Any]:
    evaluator = {"type": alert.comparison, "params": [alert.threshold]}
    return {
        "uid": alert.uid,
        "title": alert.title,
        "condition": "C",
        "data": [
            _query(alert.expression),
            _step("B", {"type": "reduce", "expression": "A", "reducer": "last", "settings": {"mode": "dropNN"}}),
            _step("C", {"type": "threshold", "expression": "B", "conditions": [{"evaluator": evaluator}]}),
        ],
        "for": f"{alert.seconds}s",
        "noDataState": alert.no_data,
        "execErrState": alert.on_error,
        "isPaused": paused,
        "dashboardUid": alert.dashboard,
        "panelId": alert.panel,
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary,
            "description": alert.first_check,
            "runbook_url": f"{ALERTS_PAGE}#{heading(alert.title)}",
        },
    }


def _query(expression: str) -> dict[str, Any]:
    model = {
        "refId": "A",
        "datasource": {"type": "prometheus", "uid": PROMETHEUS_UID},
        "expr": expression,
        "instant": True,
        "range": False,
        "intervalMs": 1000,
        "maxDataPoints": 43200,
    }
    return {"refId": "A", "datasourceUid": PROMETHEUS_UID, "relativeTimeRange": _range(_RANGE_SECONDS), "model": model}


def _step(name: str, model: Mapping[str, object]) -> dict[str, Any]:
    """An expression over an earlier step."""
    complete = {"refId": name, **model, "datasource": {"type": _EXPRESSION, "uid": _EXPRESSION}}
    return {"refId": name, "datasourceUid": _EXPRESSION, "relativeTimeRange": _range(0), "model": complete}


def _range(seconds: int) -> dict[str, int]:
    """Seconds before now."""
    return {"from": seconds, "to": 0}
