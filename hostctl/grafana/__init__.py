"""`grafana send`: one test message through a contact point, sent by Grafana with the secret that it keeps.

Owns: requests to Grafana's HTTP API on loopback, in the two forms that it has had: up to 12.4
`POST /api/alertmanager/grafana/config/api/v1/receivers/test`, which 13 answers with 410 and names the other (its pull
request 121692): `POST /apis/notifications.alerting.grafana.app/v1beta1/namespaces/default/receivers/NAME/test`.
Deliberately does not: know the webhook. Grafana fills in the secret that it stores under the receiver's uid, and an
address in one of its errors is left out here.
"""

from __future__ import annotations

import base64
import http.client
import re
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from hostctl import discord
from hostctl.core import http_json
from hostctl.core.documents import rows, table
from hostctl.core.errors import Refusal
from hostctl.core.http_json import NoAnswer

REQUEST_SECONDS = 30.0
"""Grafana waits up to 15 s for the receiver of the message."""
AGAIN_SECONDS = 2.0
"""The first pause after a 429: Grafana does not pass on Discord's own."""
TESTS = "/api/alertmanager/grafana/config/api/v1/receivers/test"
RECEIVERS = "/apis/notifications.alerting.grafana.app/v1beta1/namespaces/default/receivers"
REDACTED = "[REDACTED]"

_STATUS = re.compile(r"\bstatus:? (?:code )?(\d{3})\b", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://\S+")


@dataclass(frozen=True)
class SendRequest:
    """Grafana's address, its admin, and the test alert: {"labels", "annotations"}."""

    address: str
    port: int
    user: str
    password: str = field(repr=False)
    contact_point: str
    alert: dict[str, Any]
    limit_seconds: float = 30.0


def send(request: SendRequest) -> dict[str, Any]:
    """{"sent": true}, or {"sent": false, "reason"}; raises Refusal where Grafana takes no request.

    After a 429 the message is sent again, as long as `limit_seconds` allows.
    """
    grafana = _Grafana(request)
    limit = time.monotonic() + request.limit_seconds
    pause = AGAIN_SECONDS
    while True:
        error = grafana.test(request.contact_point, request.alert)
        if not error:
            return {"sent": True}
        match = _STATUS.search(error)
        status = int(match[1]) if match else 0
        if status == http.client.TOO_MANY_REQUESTS and time.monotonic() + pause <= limit:
            time.sleep(pause)
            pause *= 2
            continue
        return {"sent": False, "reason": discord.meaning(status) or _ADDRESS.sub("[address]", error)}


class _Grafana:
    def __init__(self, request: SendRequest) -> None:
        self._place = f"{request.address}:{request.port}"
        credentials = base64.b64encode(f"{request.user}:{request.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {credentials}"}

    def test(self, point: str, alert: dict[str, Any]) -> str:
        """The error, empty when the message was taken."""
        known = self._result("GET", f"/api/v1/provisioning/contact-points?name={quote(point, safe='')}")
        receivers = [receiver for receiver in map(table, rows(known)) if receiver.get("name") == point]
        if not receivers:
            raise Refusal(f"Grafana has no contact point {point}: `make up` provisions it")
        status, answer = self._exchange("POST", TESTS, {"receivers": [_posted(point, receivers)], "alert": alert})
        if status in (http.client.NOT_FOUND, http.client.GONE):
            return self._test_by_resource(point, alert)
        tested = [table(receiver).get("grafana_managed_receiver_configs") for receiver in rows(answer.get("receivers"))]
        results = [table(row) for configurations in tested for row in rows(configurations)]
        if not results:
            raise Refusal(
                f"Grafana answers {status} to a test of its contact point: {answer.get('message') or 'no reason'}"
            )
        return "; ".join(str(row.get("error") or "no reason given") for row in results if row.get("status") != "ok")

    def _test_by_resource(self, point: str, alert: dict[str, Any]) -> str:
        """The same since Grafana 13, one integration at a time; a receiver's name there is its title in base64."""
        path = f"{RECEIVERS}/{base64.urlsafe_b64encode(point.encode()).decode().rstrip('=')}"
        integrations = rows(table(table(self._result("GET", path)).get("spec")).get("integrations"))
        if not integrations:
            raise Refusal(f"Grafana's contact point {point} has no integration: `make up` provisions it")
        answers = [
            table(self._result("POST", f"{path}/test", {"integration": integration, "alert": alert}))
            for integration in integrations
        ]
        return "; ".join(
            str(answer.get("error") or "no reason given") for answer in answers if answer.get("status") != "success"
        )

    def _result(self, method: str, path: str, body: object = None) -> Any:
        status, answer = self._exchange(method, path, body)
        if status != http.client.OK:
            raise Refusal(
                f"Grafana answers {status} to {method} {path.partition('?')[0]}: see its log with docker logs"
            )
        return answer

    def _exchange(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        url = f"http://{self._place}{path}"
        try:
            answer = http_json.exchange(method, url, body, self._headers, seconds=REQUEST_SECONDS)
        except NoAnswer as error:
            raise Refusal(f"Grafana does not answer on {self._place} ({error.reason}): see docker ps -a") from None
        if answer.status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            raise Refusal("Grafana refuses its admin's password: `make up` sets the configured one in its database")
        return answer.status, answer.body or {}


def _posted(point: str, receivers: list[dict[str, Any]]) -> dict[str, Any]:
    """The contact point as Grafana shows it, without its redacted secrets: those it fills in by uid."""
    configurations = [
        {
            "uid": receiver.get("uid"),
            "name": point,
            "type": receiver.get("type"),
            "disableResolveMessage": receiver.get("disableResolveMessage"),
            "settings": {key: value for key, value in table(receiver.get("settings")).items() if value != REDACTED},
        }
        for receiver in receivers
    ]
    return {"name": point, "grafana_managed_receiver_configs": configurations}
