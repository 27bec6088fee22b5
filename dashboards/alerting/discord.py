"""The contact point of the alerts and their messages.

Owns: the contact point, the one policy, the message's templates. The webhook's address is a secret: Grafana reads it
from a file (`$__file{…}`), so that no provisioning file holds it.
Deliberately does not: choose colours or fields; Grafana's Discord receiver makes the embed.

Format: https://grafana.com/docs/grafana/latest/alerting/set-up/provision-alerting-resources/file-provisioning/
"""

from __future__ import annotations

from dashboards.alerting.shape import (
    ContactPoint,
    ContactPoints,
    DiscordSettings,
    Policies,
    Policy,
    Receiver,
    Template,
    Templates,
)
from settings.operations_sections import Alerts

__all__ = ["CONTACT_POINT", "contact_points_file", "policies_file", "templates_file"]

CONTACT_POINT = "discord"
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


def contact_points_file(webhook_file: str) -> ContactPoints:
    """alerting/contact-points.yaml; `webhook_file` is the path inside Grafana's container."""
    settings = DiscordSettings(
        url=f"$__file{{{webhook_file}}}",
        use_discord_username=True,
        title='{{ template "sentinel.title" . }}',
        message='{{ template "sentinel.message" . }}',
    )
    receiver = Receiver(uid="discord-operator", type="discord", disable_resolve_message=False, settings=settings)
    return ContactPoints(contact_points=(ContactPoint(name=CONTACT_POINT, receivers=(receiver,)),))


def policies_file(settings: Alerts) -> Policies:
    """alerting/policies.yaml: everything to Discord, one message for all alerts of one rule."""
    policy = Policy(
        receiver=CONTACT_POINT,
        group_by=("grafana_folder", "alertname"),
        group_wait=f"{settings.wait_seconds}s",
        group_interval=f"{settings.news_seconds}s",
        repeat_interval=f"{settings.repeat_hours}h",
    )
    return Policies(policies=(policy,))


def templates_file() -> Templates:
    """alerting/templates.yaml"""
    return Templates(templates=(Template(name="sentinel", template=f"{_TITLE}\n{_MESSAGE}\n"),))
