"""`make alert-drill`: one marked test message by each way on which an alert reaches the operator.

Owns: the ways, the message's words and its mark, one result a way. Each way sends by what would send the alert, so that
a message that arrives proves the secret, the network and the words. Before them the webhook is looked at, which posts
nothing.
Deliberately does not: make anything fail so that an alert fires (the lab's tests do); nor see the channel: whether the
message is there, the operator looks.
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
from settings.names import GRAFANA_ADMIN

GREY = 9807270
"""Neither red nor green: nothing fell, and nothing came back."""
LIMIT_SECONDS = 30.0
"""Of one way, with what Discord asks to wait after a 429."""


@dataclass(frozen=True)
class Asked:
    """What a way is given: where it is, and the mark that its message must show."""

    stack: str
    settings: Settings
    mark: str

    def on_host(self, verb: str, word: str, document: dict[str, Any]) -> dict[str, Any]:
        return host.run(self.stack, self.settings, verb, word, {**document, "limit_seconds": LIMIT_SECONDS})


@dataclass(frozen=True)
class Told:
    """What became of it. `seen` is the webhook's, which is only looked at; `absent`: the stack has no such way."""

    result: Literal["sent", "seen", "failed", "absent", "unknown"]
    words: str


Way = Callable[[Asked], Told]


def by_webhook(asked: Asked) -> Told:
    """The address itself, from the host; Grafana may have another way out, so that no connection is no failure."""
    webhook = asked.settings.discord_webhook
    if webhook is None:
        return Told("absent", "no discord_webhook is set")
    found = asked.on_host("discord", "check", {"webhook": webhook.get_secret_value()})
    if found["seen"]:
        return Told("seen", f"Discord knows it as {found['name'] or 'a webhook without a name'}; nothing was posted")
    return Told("unknown", f"Discord did not answer the host: {found['reason']}")


def by_grafana(asked: Asked) -> Told:
    """Grafana's own contact point, with the templates that its alerts use."""
    settings = asked.settings
    if not (settings.prometheus.enabled and settings.grafana.enabled):
        return Told("absent", "grafana.enabled is false")
    found = asked.on_host(
        "grafana",
        "send",
        {
            "address": "127.0.0.1",
            "port": settings.grafana.port,
            "user": GRAFANA_ADMIN,
            "password": cast(SecretStr, settings.grafana_admin_password).get_secret_value(),
            "contact_point": CONTACT_POINT,
            "alert": alert(settings, asked.mark),
        },
    )
    if found["sent"]:
        return Told("sent", f"by the contact point {CONTACT_POINT}")
    return Told("failed", found["reason"])


def by_watch(asked: Asked) -> Told:
    """n8n's own way: its schedule, its Discord node, the credential that the watch uses."""
    settings = asked.settings
    if not settings.health_watch.enabled:
        return Told("absent", "health_watch.enabled is false")
    if settings.active != "sentinel":
        return Told("absent", "the watch is in n8n only while Sentinel holds the port")
    words = alert(settings, asked.mark)["annotations"]
    embed = {"title": words["summary"], "description": words["description"], "color": GREY}
    found = asked.on_host(
        "n8n",
        "send",
        {
            "url": settings.health_watch.url,
            "key": cast(SecretStr, settings.n8n_api_key).get_secret_value(),
            "mark": MARK,
            "embed": json.dumps(embed),
        },
    )
    return Told("sent", "by a workflow of n8n's, now gone") if found["sent"] else Told("failed", found["reason"])


WAYS: Sequence[tuple[str, Way]] = (("webhook", by_webhook), ("grafana", by_grafana), ("n8n", by_watch))


def alert(settings: Settings, mark: str) -> dict[str, dict[str, str]]:
    """The test alert's labels and annotations, those that every alert of ours has."""
    return {
        "labels": {"alertname": "Alert test", "severity": "none", "mark": mark},
        "annotations": {
            "summary": f"Alert test {mark}: nothing is wrong, somebody ran make alert-drill.",
            "description": "nothing to do; that you read this is the answer.",
            "runbook_url": settings.alerts.runbook,
        },
    }


def alert_drill(stack: str, progress: Progress, ways: Sequence[tuple[str, Way]] = WAYS) -> Result:
    """Every way in turn; ok when a message was sent and no way failed."""
    opened = open_stack(stack, progress, create=False)
    asked = Asked(stack, settings_of(opened, stack), secrets.token_hex(3))
    return tried(asked, ways, progress)


def tried(asked: Asked, ways: Sequence[tuple[str, Way]], progress: Progress) -> Result:
    """The same, on settings that are known."""
    rows: list[dict[str, Any]] = []
    for name, way in ways:
        progress.line(f"Alert test {asked.mark}: {name} …")
        began = time.monotonic()
        try:
            told = way(asked)
        except UserError as error:
            told = Told("failed", str(error))
        milliseconds = round((time.monotonic() - began) * 1000)
        rows.append({"way": name, "result": told.result, "words": told.words, "ms": milliseconds})
    results = {row["result"] for row in rows}
    ok = "sent" in results and "failed" not in results
    at = datetime.now(UTC).isoformat(timespec="seconds")
    lines = [f"{row['way']:<10} {row['result']:<8} {row['words']}" for row in rows]
    if "sent" in results:
        lines.append(f"Look into the channel for: Alert test {asked.mark}")
    elif "failed" not in results:
        lines.append(
            "No message was sent: this stack has no way for alerts. Set grafana.enabled, or health_watch.enabled."
        )
    return Result({"ok": ok, "mark": asked.mark, "at": at, "ways": rows}, "\n".join(lines), ok)
