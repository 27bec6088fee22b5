"""The paths of Grafana's public HTTP API that our tests call.

Owns: these paths and their documents, basic authentication; the test of a contact point, in the form that Grafana has
until 12 and in the one since 13 (its pull request 121692). Deliberately does not: change anything.
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

from lab.doubles.grafana.database import Database
from lab.doubles.grafana.evaluation import Evaluator, Instance, Watched
from lab.doubles.grafana.models import ContactPoint, Receiver, seconds
from lab.doubles.grafana.notifying import Notifier
from lab.doubles.grafana.provisioning import Provisioned

_BOARDS = "/api/dashboards/uid/"
_TESTS = "/api/alertmanager/grafana/config/api/v1/receivers/test"
_RECEIVERS = "/apis/notifications.alerting.grafana.app/v1beta1/namespaces/default/receivers/"
_REDACTED = "[REDACTED]"


@dataclass(frozen=True)
class Api:
    """The parts from which requests are answered."""

    provisioned: Provisioned
    evaluator: Evaluator
    user: str
    database: Database
    notifier: Notifier
    major: int = 12

    def admits(self, authorization: str) -> bool:
        """True for the admin's, by the password that is in the database now."""
        try:
            pair = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        except ValueError:
            return False
        user, _, password = pair.partition(":")
        return user == self.user and self.database.takes(password)

    def answer(self, path: str) -> tuple[int, Any]:
        """Status and document of an authenticated GET."""
        if path.startswith(_BOARDS):
            return self._dashboard(unquote(path.removeprefix(_BOARDS)))
        if path.startswith(_RECEIVERS):
            return self._receiver(path.removeprefix(_RECEIVERS))
        found: Callable[[], Any] | None = {
            "/api/org": lambda: {"id": 1, "name": "Main Org."},
            "/api/datasources": self._sources,
            "/api/search": self._search,
            "/api/prometheus/grafana/api/v1/rules": self._rules,
            "/api/alertmanager/grafana/api/v2/alerts": self._alerts,
            "/api/v1/provisioning/contact-points": self._contact_points,
            "/api/v1/provisioning/policies": self._policy,
        }.get(path)
        return (200, found()) if found else (404, {"message": "Not found"})

    def posted(self, path: str, body: Any) -> tuple[int, Any]:
        """Status and document of an authenticated POST: a test message, nothing else."""
        if path == _TESTS:
            return self._test(body)
        if self.major >= 13 and path.startswith(_RECEIVERS) and path.endswith("/test"):
            return self._test_integration(body)
        return 404, {"message": "Not found"}

    def _test(self, body: Any) -> tuple[int, Any]:
        if self.major >= 13:
            return 410, {"message": f"Use {_RECEIVERS}UID/test instead"}
        if not body.get("receivers"):
            return 400, {"message": "no receivers"}
        failed, answers = False, list[Any]()
        for point in body["receivers"]:
            rows: list[Any] = []
            for receiver in point["grafana_managed_receiver_configs"]:
                known = self._known(receiver["uid"])
                if known is None:
                    return 404, {"message": f"unknown receiver: {receiver['uid']}"}
                error = self._sent(known, receiver["settings"], body.get("alert") or {})
                failed = failed or bool(error)
                state = {"status": "failed", "error": error} if error else {"status": "ok"}
                rows.append({"name": point["name"], "uid": receiver["uid"], **state})
            answers.append({"name": point["name"], "grafana_managed_receiver_configs": rows})
        return (207 if failed else 200), {"alert": body.get("alert"), "receivers": answers}

    def _test_integration(self, body: Any) -> tuple[int, Any]:
        """200 also where the message was not taken: what became of it stands in `status`."""
        receiver = body["integration"]
        known = self._known(receiver["uid"])
        if known is None:
            return 404, {"message": "integration not found"}
        error = self._sent(known, receiver["settings"], body.get("alert") or {})
        return 200, {"status": "failure", "error": error} if error else {"status": "success"}

    def _receiver(self, name: str) -> tuple[int, Any]:
        """A contact point by its name in base64, as Grafana 13 has it; the secret settings are named, not shown."""
        point = self._point(name) if self.major >= 13 else None
        if point is None:
            return 404, {"message": "Not found"}
        integrations = [
            {
                "uid": one.uid,
                "type": one.type,
                "version": "v1",
                "settings": one.settings.model_dump(exclude={"url"}),
                "secureFields": {"url": True},
            }
            for one in point.receivers
        ]
        return 200, {"metadata": {"name": name}, "spec": {"title": point.name, "integrations": integrations}}

    def _point(self, name: str) -> ContactPoint | None:
        try:
            title = base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode()
        except ValueError:
            return None
        return self.provisioned.contact_points.get(title)

    def _known(self, uid: str) -> Receiver | None:
        points = self.provisioned.contact_points.values()
        return next((one for point in points for one in point.receivers if one.uid == uid), None)

    def _sent(self, known: Receiver, settings: Any, alert: Any) -> str:
        """The stored secret takes the place of one that was not sent; one that was sent is used as it is."""
        used = known.settings.model_copy(update=settings)
        labels = {"grafana_folder": "", **alert.get("labels", {})}
        return self.notifier.test(used, labels, alert.get("annotations", {}))

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
                "settings": {**receiver.settings.model_dump(), "url": _REDACTED},
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

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            if path == "/healthz":
                self._answer(200, "Ok")
            elif path == "/api/health":
                self._answer(200, {"database": "ok"})
            elif not api.admits(self.headers.get("Authorization") or ""):
                self._answer(401, {"message": "Unauthorized", "messageId": "auth.unauthorized"})
            else:
                self._answer(*api.answer(path))

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if not api.admits(self.headers.get("Authorization") or ""):
                self._answer(401, {"message": "Unauthorized", "messageId": "auth.unauthorized"})
                return
            try:
                answer = api.posted(urlsplit(self.path).path, json.loads(content))
            except (ValueError, KeyError, TypeError, AttributeError):
                answer = 400, {"message": "bad request data"}
            self._answer(*answer)

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
