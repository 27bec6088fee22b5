"""The paths of Grafana's public HTTP API that our tests ask.

Owns: these paths and their documents, basic authentication. Deliberately does not: change anything; there is no POST.
Source: Grafana's documentation, "HTTP API reference".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from lab.grafana.evaluation import Evaluator, Instance, Watched
from lab.grafana.models import seconds
from lab.grafana.provisioning import Provisioned

_BOARDS = "/api/dashboards/uid/"


@dataclass(frozen=True)
class Api:
    """What is answered from."""

    provisioned: Provisioned
    evaluator: Evaluator
    user: str
    password: str

    def answer(self, path: str) -> tuple[int, Any]:
        """Status and document of an authenticated GET."""
        if path.startswith(_BOARDS):
            return self._dashboard(unquote(path.removeprefix(_BOARDS)))
        found: Callable[[], Any] | None = {
            "/api/datasources": self._sources,
            "/api/search": self._search,
            "/api/prometheus/grafana/api/v1/rules": self._rules,
            "/api/alertmanager/grafana/api/v2/alerts": self._alerts,
            "/api/v1/provisioning/contact-points": self._contact_points,
            "/api/v1/provisioning/policies": self._policy,
        }.get(path)
        return (200, found()) if found else (404, {"message": "Not found"})

    def _sources(self) -> Any:
        sources = self.provisioned.sources.values()
        return [{**source.model_dump(), "readOnly": not source.editable} for source in sources]

    def _search(self) -> Any:
        return [
            {
                "uid": uid,
                "title": board.model["title"],
                "type": "dash-db",
                "url": f"/d/{uid}",
                "folderTitle": board.folder,
                "folderUid": board.folder_uid,
            }
            for uid, board in self.provisioned.dashboards.items()
        ]

    def _dashboard(self, uid: str) -> tuple[int, Any]:
        board = self.provisioned.dashboards.get(uid)
        if board is None:
            return 404, {"message": "Dashboard not found"}
        meta = {"provisioned": True, "folderTitle": board.folder, "folderUid": board.folder_uid}
        return 200, {"meta": meta, "dashboard": board.model}

    def _rules(self) -> Any:
        groups: dict[str, dict[str, Any]] = {}
        for watched in self.evaluator.watched:
            group = watched.group
            entry = groups.setdefault(
                group.name,
                {"name": group.name, "file": group.folder, "interval": int(seconds(group.interval)), "rules": []},
            )
            entry["rules"].append(_rule(watched))
        return {"status": "success", "data": {"groups": list(groups.values())}}

    def _alerts(self) -> Any:
        return [
            {
                "labels": instance.labels,
                "annotations": instance.annotations,
                "startsAt": _time(instance.since),
                "status": {"state": "active", "inhibitedBy": [], "silencedBy": []},
            }
            for watched in self.evaluator.watched
            for instance in watched.instances.values()
            if instance.state == "Alerting"
        ]

    def _contact_points(self) -> Any:
        """Grafana never shows a secret again."""
        return [
            {
                "uid": receiver.uid,
                "name": point.name,
                "type": receiver.type,
                "disableResolveMessage": receiver.disableResolveMessage,
                "settings": {**receiver.settings.model_dump(), "url": "[REDACTED]"},
                "provenance": "file",
            }
            for point in self.provisioned.contact_points.values()
            for receiver in point.receivers
        ]

    def _policy(self) -> Any:
        policy = self.provisioned.policy
        return {} if policy is None else {**policy.model_dump(exclude={"orgId"}), "provenance": "file"}


def server(api: Api, address: str, port: int) -> ThreadingHTTPServer:
    """The server, bound and not yet serving. `/api/health` and `/healthz` need no password."""
    expected = "Basic " + base64.b64encode(f"{api.user}:{api.password}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            if path == "/healthz":
                self._answer(200, "Ok")
            elif path == "/api/health":
                self._answer(200, {"database": "ok"})
            elif self.headers.get("Authorization") != expected:
                self._answer(401, {"message": "Unauthorized", "messageId": "auth.unauthorized"})
            else:
                self._answer(*api.answer(path))

        def _answer(self, status: int, body: Any) -> None:
            content = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return ThreadingHTTPServer((address, port), Handler)


def _rule(watched: Watched) -> dict[str, Any]:
    rule = watched.rule
    return {
        "uid": rule.uid,
        "name": rule.title,
        "state": watched.state(),
        "health": watched.health,
        "lastError": watched.error,
        "type": "alerting",
        "duration": seconds(rule.for_),
        "isPaused": rule.isPaused,
        "labels": rule.labels,
        "annotations": rule.annotations,
        "alerts": [_alert(instance) for instance in watched.instances.values()],
    }


def _alert(instance: Instance) -> dict[str, Any]:
    return {
        "labels": instance.labels,
        "annotations": instance.annotations,
        "state": instance.state,
        "activeAt": _time(instance.since),
        "value": str(instance.value),
    }


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
