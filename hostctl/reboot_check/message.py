"""The one message about a check after a boot: by Grafana, as alerts are sent, else by the host."""

from __future__ import annotations

from typing import Any

from hostctl import discord, grafana
from hostctl.core import secret_file
from hostctl.core.errors import Refusal
from hostctl.reboot_check.request import RebootCheckRequest

SEND_SECONDS = 30.0
LONGEST_MESSAGE = 1500


def sentence(result: dict[str, Any]) -> str:
    """The result in one line, as Discord shows it."""
    took = f"{result['seconds']:g} s after the check began"
    if result["seconds_after_boot"] is not None:
        took = f"{result['seconds_after_boot']:g} s after the boot"
    who = {"sentinel": "Sentinel", "contextforge": "ContextForge"}[result["active"]]
    bad = [f"{part['part']}: {part['detail']}" for part in result["parts"] if not part["ok"]]
    if not bad:
        return f"The host restarted: {who} has the port and all {len(result['parts'])} parts are well, {took}."
    return f"The host restarted, and after {result['seconds']:g} s this is not well: {' | '.join(bad)}"[
        :LONGEST_MESSAGE
    ]


def send(request: RebootCheckRequest, result: dict[str, Any]) -> str:
    """Send the result; return a phrase that says by whom it was sent, or why it was not."""
    message, tried = sentence(result), list[str]()
    if request.grafana_port and request.grafana_password_file:
        try:
            password = secret_file.read(request.grafana_password_file)
            sent = grafana.send(_to_grafana(request, message, password, result["ok"]))
            if sent["sent"]:
                return "sent by Grafana"
            tried.append(f"Grafana: {sent['reason']}")
        except Refusal as refusal:
            tried.append(str(refusal))
    if request.webhook_file:
        try:
            posted = discord.post(_to_discord(request.webhook_file, message))
            if posted["posted"]:
                return "sent by the host"
            tried.append(f"the host: {posted['reason']}")
        except Refusal as refusal:
            tried.append(f"the host: {refusal}")
    return f"not sent: {'; '.join(tried)}" if tried else "not sent: no discord_webhook is set"


def _to_discord(webhook_file: str, message: str) -> discord.PostRequest:
    content = message[: discord.MOST_CHARACTERS]
    return discord.PostRequest(webhook_file, content=content, patient=True, limit_seconds=SEND_SECONDS)


def _to_grafana(request: RebootCheckRequest, message: str, password: str, ok: bool) -> grafana.SendRequest:
    return grafana.SendRequest(
        address="127.0.0.1",
        port=request.grafana_port,
        user=request.grafana_user,
        password=password,
        contact_point=request.contact_point,
        limit_seconds=SEND_SECONDS,
        alert={
            "labels": {"alertname": "Reboot check", "severity": "none" if ok else "critical"},
            "annotations": {
                "summary": message,
                "description": "nothing to do." if ok else "make reboot-check; then make status.",
                "runbook_url": request.runbook,
            },
        },
    )
