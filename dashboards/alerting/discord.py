"""The contact point of the alerts and their messages.

Owns: the contact point, the one policy, the message's templates. The webhook's address is a secret: Grafana reads it
from a file (`$__file{…}`), so that no provisioning file holds it.
Deliberately does not: choose colours or fields; Grafana's Discord receiver makes the embed.

Format: https://grafana.com/docs/grafana/latest/alerting/set-up/provision-alerting-resources/file-provisioning/
"""

from __future__ import annotations

from typing import Any

from settings.operations_sections import Alerts

CONTACT_POINT = "discord"
REPEAT_HOURS = 4
"""After which an alert that still fires is sent again."""

_MOST_ALERTS = 5
"""In one message: Discord refuses more than 2000 characters, and Grafana truncates at that length."""

_TITLE = (
    '{{ define "sentinel.title" }}'
    '{{ if eq .Status "firing" }}FIRING{{ else }}RESOLVED{{ end }}: {{ .CommonLabels.alertname }}'
    "{{ end }}"
)
_MESSAGE = (
    '{{ define "sentinel.message" }}'
    f"{{{{ range $number, $alert := .Alerts }}}}{{{{ if lt $number {_MOST_ALERTS} }}}}"
    '{{ if eq $alert.Status "firing" }}{{ $alert.Annotations.summary }}\n'
    "First check: {{ $alert.Annotations.description }}\n"
    "Runbook: {{ $alert.Annotations.runbook_url }}\n"
    "Panel: {{ $alert.PanelURL }}\n"
    "{{ else }}Resolved: {{ $alert.Annotations.summary }}\n{{ end }}"
    "{{ end }}{{ end }}"
    "{{ end }}"
)


def contact_points_file(webhook_file: str) -> dict[str, Any]:
    """alerting/contact-points.yaml; `webhook_file` is the path inside Grafana's container."""
    receiver = {
        "uid": "discord-operator",
        "type": "discord",
        "disableResolveMessage": False,
        "settings": {
            "url": f"$__file{{{webhook_file}}}",
            "use_discord_username": True,
            "title": '{{ template "sentinel.title" . }}',
            "message": '{{ template "sentinel.message" . }}',
        },
    }
    return {"apiVersion": 1, "contactPoints": [{"orgId": 1, "name": CONTACT_POINT, "receivers": [receiver]}]}


def policies_file(settings: Alerts) -> dict[str, Any]:
    """alerting/policies.yaml: everything to Discord, one message for all alerts of one rule."""
    policy = {
        "orgId": 1,
        "receiver": CONTACT_POINT,
        "group_by": ["grafana_folder", "alertname"],
        "group_wait": f"{settings.wait_seconds}s",
        "group_interval": f"{settings.news_seconds}s",
        "repeat_interval": f"{REPEAT_HOURS}h",
    }
    return {"apiVersion": 1, "policies": [policy]}


def templates_file() -> dict[str, Any]:
    """alerting/templates.yaml"""
    return {"apiVersion": 1, "templates": [{"orgId": 1, "name": "sentinel", "template": f"{_TITLE}\n{_MESSAGE}\n"}]}
