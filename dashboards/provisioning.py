"""Grafana's provisioning files: data source, dashboards, alerts. No secret is in any of them.

Format: https://grafana.com/docs/grafana/latest/administration/provisioning/
"""

from __future__ import annotations

from typing import Any

import yaml

from dashboards.alerting import discord, rules
from dashboards.dashboard_file import FILE, RESOURCES_FILE
from settings import Settings

PROVISIONING = "/etc/grafana/provisioning"
DASHBOARDS = "/etc/grafana/dashboards"


def files(settings: Settings, *, prometheus: str, webhook_file: str, paused: bool) -> dict[str, str]:
    """Absolute paths inside the container to contents; `prometheus` is its address on the internal network."""
    resources = settings.resources.enabled
    boards = [FILE, *([RESOURCES_FILE] if resources else [])]
    return {
        f"{PROVISIONING}/datasources/prometheus.yaml": _yaml(_data_source(settings, prometheus)),
        f"{PROVISIONING}/dashboards/sentinel.yaml": _yaml(_provider()),
        f"{PROVISIONING}/alerting/rules.yaml": _yaml(
            rules.rules_file(settings.alerts, paused=paused, nightly=settings.nightly.enabled, resources=resources)
        ),
        f"{PROVISIONING}/alerting/contact-points.yaml": _yaml(discord.contact_points_file(webhook_file)),
        f"{PROVISIONING}/alerting/policies.yaml": _yaml(discord.policies_file(settings.alerts)),
        f"{PROVISIONING}/alerting/templates.yaml": _yaml(discord.templates_file()),
        **{f"{DASHBOARDS}/{board.name}": board.read_text(encoding="utf-8") for board in boards},
    }


def _data_source(settings: Settings, prometheus: str) -> dict[str, Any]:
    source = {
        "name": "Prometheus",
        "uid": rules.PROMETHEUS_UID,
        "type": "prometheus",
        "access": "proxy",
        "orgId": 1,
        "url": prometheus,
        "isDefault": True,
        "editable": False,
        # Grafana derives $__rate_interval from it, so it is the scrape interval.
        "jsonData": {
            "httpMethod": "POST",
            "timeInterval": f"{settings.prometheus.scrape_seconds}s",
            "prometheusType": "Prometheus",
            "manageAlerts": False,
        },
    }
    return {"apiVersion": 1, "prune": True, "datasources": [source]}


def _provider() -> dict[str, Any]:
    provider = {
        "name": "sentinel",
        "orgId": 1,
        "folder": rules.FOLDER,
        "folderUid": "sentinel",
        "type": "file",
        "disableDeletion": False,
        "allowUiUpdates": False,
        "updateIntervalSeconds": 30,
        "options": {"path": DASHBOARDS, "foldersFromFilesStructure": False},
    }
    return {"apiVersion": 1, "providers": [provider]}


def _yaml(document: dict[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)
