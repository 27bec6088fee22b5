"""`make alert-drill`: one marked test message by each route on which an alert reaches the operator.

Each route uses the sender of its alerts, so that a message that arrives proves the secret, the network and the text.
The webhook is checked before them, which posts nothing.
Deliberately does not: make anything fail so that an alert fires (the lab's tests do); nor see the channel: the operator
finds the message there.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast

from pydantic import SecretStr

from components.n8n_workflow.workflow import MARK
from console.errors import UserError
from console.progress import Progress
from console.result import Result
from dashboards.alerting.discord import CONTACT_POINT
from ops.engine import host
from ops.engine.run import open_stack
from ops.engine.state import settings_of
from settings import Settings
from settings.names import ALERTS_PAGE, GRAFANA_ADMIN

GREY = 9807270
"""Neither red nor green: nothing failed, and nothing recovered."""
LIMIT_SECONDS = 30.0
"""Limit of one route, with the wait that Discord demands after a 429."""


@dataclass(frozen=True)
class Drill:
    """One drill: the stack, its settings, and the mark that each message must show."""

    stack: str
    settings: Settings
    mark: str

    def on_host(self, verb: str, action: str, document: dict[str, Any]) -> dict[str, Any]:
        """The answer of a verb of `hostctl` on the stack's host."""
        return host.run(self.stack, self.settings, verb, action, {**document, "limit_seconds": LIMIT_SECONDS})


@dataclass(frozen=True)
class Outcome:
    """The result of one route. `seen` is the webhook's, which is only checked; `absent`: the stack has none."""

    result: Literal["sent", "seen", "failed", "absent", "unknown"]
    detail: str


Route = Callable[[Drill], Outcome]


def by_webhook(drill: Drill) -> Outcome:
    """The webhook's address, from the host; Grafana may have another egress, so a lost connection is no failure."""
    webhook = drill.settings.discord_webhook
    if webhook is None:
        return Outcome("absent", "no discord_webhook is set")
    answer = drill.on_host("discord", "check", {"webhook": webhook.get_secret_value()})
    if answer["seen"]:
        return Outcome("seen", f"Discord knows it as {answer['name'] or 'a nameless webhook'}; nothing was posted")
    return Outcome("unknown", f"Discord did not answer the host: {answer['reason']}")


def by_grafana(drill: Drill) -> Outcome:
    """Grafana's own contact point, with the templates that its alerts use."""
    settings = drill.settings
    if not (settings.prometheus.enabled and settings.grafana.enabled):
        return Outcome("absent", "grafana.enabled is false")
    answer = drill.on_host(
        "grafana",
        "send",
        {
            "address": "127.0.0.1",
            "port": settings.grafana.port,
            "user": GRAFANA_ADMIN,
            "password": cast(SecretStr, settings.grafana_admin_password).get_secret_value(),
            "contact_point": CONTACT_POINT,
            "alert": alert(drill.mark),
        },
    )
    if answer["sent"]:
        return Outcome("sent", f"by the contact point {CONTACT_POINT}")
    return Outcome("failed", answer["reason"])


def by_watch(drill: Drill) -> Outcome:
    """n8n's own sender: its schedule, its Discord node, the credential of the health watch."""
    settings = drill.settings
    if not settings.health_watch.enabled:
        return Outcome("absent", "health_watch.enabled is false")
    if settings.active != "sentinel":
        return Outcome("absent", "the health watch is in n8n only while Sentinel holds the port")
    text = alert(drill.mark)["annotations"]
    embed = {"title": text["summary"], "description": text["description"], "color": GREY}
    answer = drill.on_host(
        "n8n",
        "send",
        {
            "url": settings.health_watch.url,
            "key": cast(SecretStr, settings.n8n_api_key).get_secret_value(),
            "mark": MARK,
            "embed": json.dumps(embed),
        },
    )
    if answer["sent"]:
        return Outcome("sent", "by a workflow of n8n's, now gone")
    return Outcome("failed", answer["reason"])


ROUTES: Sequence[tuple[str, Route]] = (("webhook", by_webhook), ("grafana", by_grafana), ("n8n", by_watch))


def alert(mark: str) -> dict[str, dict[str, str]]:
    """The test alert's labels and annotations, the same as those of every alert of ours."""
    return {
        "labels": {"alertname": "Alert test", "severity": "none", "mark": mark},
        "annotations": {
            "summary": f"Alert test {mark}: nothing is wrong, the operator ran make alert-drill.",
            "description": "nothing to do: this message proves that alerts arrive.",
            "runbook_url": ALERTS_PAGE,
        },
    }


def alert_drill(stack: str, progress: Progress, routes: Sequence[tuple[str, Route]] = ROUTES) -> Result:
    """Every route in turn; ok when a message was sent and no route failed."""
    opened = open_stack(stack, progress, create=False)
    drill = Drill(stack, settings_of(opened, stack), secrets.token_hex(3))
    return run_routes(drill, routes, progress)


def run_routes(drill: Drill, routes: Sequence[tuple[str, Route]], progress: Progress) -> Result:
    """Every route of one drill in turn."""
    rows: list[dict[str, Any]] = []
    for name, route in routes:
        progress.line(f"Alert test {drill.mark}: {name} …")
        began = time.monotonic()
        try:
            outcome = route(drill)
        except UserError as error:
            outcome = Outcome("failed", str(error))
        milliseconds = round((time.monotonic() - began) * 1000)
        rows.append({"route": name, "result": outcome.result, "detail": outcome.detail, "ms": milliseconds})
    results = {row["result"] for row in rows}
    ok = "sent" in results and "failed" not in results
    at = datetime.now(UTC).isoformat(timespec="seconds")
    lines = [f"{row['route']:<10} {row['result']:<8} {row['detail']}" for row in rows]
    if "sent" in results:
        lines.append(f"Now find in the channel: Alert test {drill.mark}")
    elif "failed" not in results:
        lines.append(
            "No message was sent: nothing in this stack sends alerts. Set grafana.enabled, or health_watch.enabled."
        )
    return Result({"ok": ok, "mark": drill.mark, "at": at, "routes": rows}, "\n".join(lines), ok)
