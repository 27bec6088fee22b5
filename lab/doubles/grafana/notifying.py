"""Messages from alerts: gathered into groups, sent once, again when something changes, and when it is over.

Owns: group_wait, group_interval, repeat_interval, the message that Grafana's Discord receiver makes.
Deliberately does not: know rules (evaluation.py). It posts by plain HTTP to the host that the webhook names: the lab's
outside has no certificate for it.
Source: Alertmanager's notification pipeline; `grafana/alerting` `receivers/discord/v1/discord.go`.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from lab.doubles.grafana import go_template
from lab.doubles.grafana.evaluation import Evaluator, Instance, Labels, Watched
from lab.doubles.grafana.models import DiscordSettings, seconds
from lab.doubles.grafana.provisioning import Provisioned

MOST_RUNES = 2000
COLORS = {"firing": 14037554, "resolved": 3582007}
"""#D63232 and #36A64F, Grafana's own."""

_POST_SECONDS = 10.0
Key = tuple[str, Labels]
"""An alert: its rule's uid and its labels."""


@dataclass(frozen=True)
class _Unsent:
    """A message that Discord did not take: Grafana's text, which may hold the address, and when to try again."""

    message: str
    wait_seconds: float


@dataclass
class _Group:
    """One group of alerts, as the policy groups them. `sent` are the firing alerts of the last message."""

    labels: dict[str, str]
    due: float
    sent: set[Key] = field(default_factory=lambda: set[Key]())
    sent_at: float = 0.0
    last: dict[Key, tuple[Watched, Instance]] = field(default_factory=lambda: dict[Key, tuple[Watched, Instance]]())


class Notifier:
    """The policy tree's root over the alerts that fire. `root_url` begins every link."""

    def __init__(self, provisioned: Provisioned, evaluator: Evaluator, root_url: str) -> None:
        self._policy = provisioned.policy
        self._points = provisioned.contact_points
        self._templates = provisioned.templates
        self._evaluator = evaluator
        self._root = root_url.rstrip("/")
        self._groups: dict[tuple[str, ...], _Group] = {}

    def notify_due(self, now: float) -> None:
        policy = self._policy
        if policy is None:
            return
        firing: dict[tuple[str, ...], dict[Key, tuple[Watched, Instance]]] = {}
        for watched in self._evaluator.watched:
            for labels, instance in watched.instances.items():
                if instance.state == "Alerting":
                    names = tuple(instance.labels.get(name, "") for name in policy.group_by)
                    firing.setdefault(names, {})[watched.rule.uid, labels] = (watched, instance)
        for names in firing:
            if names not in self._groups:
                labels = dict(zip(policy.group_by, names, strict=True))
                self._groups[names] = _Group(labels, due=now + seconds(policy.group_wait))
        for names, group in list(self._groups.items()):
            if now >= group.due:
                self._flush(names, group, firing.get(names, {}), now)

    def _flush(
        self, names: tuple[str, ...], group: _Group, firing: dict[Key, tuple[Watched, Instance]], now: float
    ) -> None:
        policy = self._policy
        assert policy is not None
        over = {key: one for key, one in group.last.items() if key not in firing and key in group.sent}
        changed = set(firing) != group.sent
        if not changed and now - group.sent_at < seconds(policy.repeat_interval):
            group.due = now + seconds(policy.group_interval)
            return
        for receiver in self._points[policy.receiver].receivers:
            resolved = {} if receiver.disableResolveMessage else over
            if not firing and not resolved:
                continue
            unsent = self._post(receiver.settings, self._data(group, firing, resolved))
            if unsent:
                # Not sent: the same again, after as long as Discord demands.
                group.due = now + unsent.wait_seconds
                return
        group.sent, group.sent_at, group.last = set(firing), now, dict(firing)
        group.due = now + seconds(policy.group_interval)
        if not firing:
            del self._groups[names]

    def test(self, settings: DiscordSettings, labels: dict[str, str], annotations: dict[str, str]) -> str:
        """One alert of no rule, sent at once; the reason in Grafana's text when it was not taken, else empty."""
        url = f"{self._root}/d/"
        alert = {"Labels": labels, "Annotations": annotations, "DashboardURL": url, "PanelURL": url, "Status": "firing"}
        data = {"Status": "firing", "Alerts": [alert], "CommonLabels": labels, "GroupLabels": labels}
        unsent = self._post(settings, {**data, "ExternalURL": f"{self._root}/"})
        return unsent.message if unsent else ""

    def _data(
        self, group: _Group, firing: dict[Key, tuple[Watched, Instance]], over: dict[Key, tuple[Watched, Instance]]
    ) -> dict[str, Any]:
        alerts = [self._alert(*one, "firing") for one in firing.values()]
        alerts += [self._alert(*one, "resolved") for one in over.values()]
        first, *others = [alert["Labels"] for alert in alerts]
        common = {key: value for key, value in first.items() if all(one.get(key) == value for one in others)}
        return {
            "Status": "firing" if firing else "resolved",
            "Alerts": alerts,
            "CommonLabels": common,
            "GroupLabels": group.labels,
            "ExternalURL": f"{self._root}/",
        }

    def _alert(self, watched: Watched, instance: Instance, status: str) -> dict[str, Any]:
        board = f"{self._root}/d/{watched.rule.dashboardUid}"
        return {
            "Status": status,
            "Labels": instance.labels,
            "Annotations": instance.annotations,
            "DashboardURL": board,
            "PanelURL": f"{board}?viewPanel={watched.rule.panelId}",
        }

    def _post(self, settings: DiscordSettings, data: dict[str, Any]) -> _Unsent | None:
        """None when Discord took it."""
        title = go_template.rendered(settings.title, data, self._templates)
        embed = {
            "title": title,
            "type": "rich",
            "url": f"{self._root}/alerting/list",
            "color": COLORS[data["Status"]],
            "footer": {"text": "Grafana v12.4.5 (the lab's double)"},
        }
        message: dict[str, Any] = {
            "content": go_template.rendered(settings.message, data, self._templates)[:MOST_RUNES],
            "embeds": [embed],
        }
        if not settings.use_discord_username:
            message["username"] = "Grafana"
        parts = urlsplit(settings.url)
        request = urllib.request.Request(
            f"http://{parts.netloc}{parts.path}",
            json.dumps(message).encode(),
            {"Content-Type": "application/json", "User-Agent": "Grafana"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_POST_SECONDS):
                return None
        except urllib.error.HTTPError as error:
            print(f'level=error msg="failed to send notification" status={error.code}', flush=True)
            refusal = f"webhook response status {error.code} {error.reason}"
            return _Unsent(refusal, float(error.headers.get("Retry-After") or 5))
        except OSError as error:
            # The address is the secret: its host is shown, its path is not.
            print(f'level=error msg="failed to send notification" host={parts.netloc} err="{error}"', flush=True)
            return _Unsent(f'Post "{settings.url}": {error}', 5.0)


def run(evaluator: Evaluator, notifier: Notifier, every_seconds: float = 0.5) -> None:
    """For ever: what is due, when it is due."""
    while True:
        now = time.time()
        evaluator.evaluate_due(now)
        notifier.notify_due(now)
        time.sleep(every_seconds)
