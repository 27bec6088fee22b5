"""`grafana send`: one test message through a contact point, sent by Grafana itself with the secret that it keeps.

Owns: asking Grafana's HTTP API on loopback, in the two forms that it has had: up to 12.4
`POST /api/alertmanager/grafana/config/api/v1/receivers/test`, which 13 answers with 410 and names the other (its pull
request 121692): `POST /apis/notifications.alerting.grafana.app/v1beta1/namespaces/default/receivers/NAME/test`.
Deliberately does not: know the webhook. Grafana puts in what it stores under the receiver's uid, and where an error of
its own repeats the address, that is left out here.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import time
from typing import Any
from urllib.parse import quote

from hostctl import discord
from hostctl.core.documents import Document, rows, table
from hostctl.core.errors import Refusal

REQUEST_SECONDS = 30.0
"""Grafana itself waits up to 15 s for who takes the message."""
AGAIN_SECONDS = 2.0
"""After a 429: Grafana does not pass on how long Discord asked to wait."""
TESTS = "/api/alertmanager/grafana/config/api/v1/receivers/test"
RECEIVERS = "/apis/notifications.alerting.grafana.app/v1beta1/namespaces/default/receivers"
REDACTED = "[REDACTED]"

_STATUS = re.compile(r"\bstatus:? (?:code )?(\d{3})\b", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://\S+")


def send(document: Document) -> dict[str, Any]:
    """{"sent": true}, or {"sent": false, "reason"} in a sentence; raises Refusal where Grafana cannot be asked.

    A 429 is waited for and tried again, as long as `limit_seconds` allows.
    """
    grafana = _Grafana(document)
    point, alert = document.text("contact_point"), document.object("alert").values
    limit = time.monotonic() + document.seconds("limit_seconds", 30)
    pause = AGAIN_SECONDS
    while True:
        error = grafana.test(point, alert)
        if not error:
            return {"sent": True}
        found = _STATUS.search(error)
        status = int(found[1]) if found else 0
        if status == http.client.TOO_MANY_REQUESTS and time.monotonic() + pause <= limit:
            time.sleep(pause)
            pause *= 2
            continue
        return {"sent": False, "reason": discord.meaning(status) or _ADDRESS.sub("[address]", error)}


class _Grafana:
    def __init__(self, document: Document) -> None:
        self._address, self._port = document.text("address"), document.whole_number("port")
        words = f"{document.text('user')}:{document.text('password')}"
        self._authorization = "Basic " + base64.b64encode(words.encode()).decode()

    def test(self, point: str, alert: dict[str, Any]) -> str:
        """What went wrong, empty when the message was taken."""
        known = self._asked("GET", f"/api/v1/provisioning/contact-points?name={quote(point, safe='')}")
        receivers = [table(one) for one in rows(known) if table(one).get("name") == point]
        if not receivers:
            raise Refusal(f"Grafana has no contact point {point}: `make up` provisions it")
        status, answer = self._exchange("POST", TESTS, {"receivers": [_posted(point, receivers)], "alert": alert})
        if status in (http.client.NOT_FOUND, http.client.GONE):
            return self._test_by_resource(point, alert)
        results = [table(row) for one in rows(answer.get("receivers")) for row in rows(_configurations(one))]
        if not results:
            raise Refusal(
                f"Grafana says {status} to a test of its contact point: {answer.get('message') or 'no reason'}"
            )
        return "; ".join(str(row.get("error") or "no reason given") for row in results if row.get("status") != "ok")

    def _test_by_resource(self, point: str, alert: dict[str, Any]) -> str:
        """The same since Grafana 13, one integration at a time; a receiver's name there is its title in base64."""
        path = f"{RECEIVERS}/{base64.urlsafe_b64encode(point.encode()).decode().rstrip('=')}"
        integrations = rows(table(table(self._asked("GET", path)).get("spec")).get("integrations"))
        if not integrations:
            raise Refusal(f"Grafana's contact point {point} has no integration: `make up` provisions it")
        answers = [
            table(self._asked("POST", f"{path}/test", {"integration": one, "alert": alert})) for one in integrations
        ]
        return "; ".join(
            str(one.get("error") or "no reason given") for one in answers if one.get("status") != "success"
        )

    def _asked(self, method: str, path: str, body: object = None) -> Any:
        status, answer = self._exchange(method, path, body)
        if status != http.client.OK:
            raise Refusal(
                f"Grafana says {status} to {method} {path.partition('?')[0]}: look at its log with docker logs"
            )
        return answer

    def _exchange(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self._address, self._port, timeout=REQUEST_SECONDS)
        headers = {"Authorization": self._authorization, "Content-Type": "application/json"}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or error
            raise Refusal(
                f"Grafana does not answer on {self._address}:{self._port} ({why}): look at its container with docker ps"
            ) from None
        finally:
            connection.close()
        if answer.status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            raise Refusal(
                "Grafana refuses its admin's password: `make up` brings the one of the configuration into its database"
            )
        try:
            return answer.status, json.loads(content)
        except ValueError:
            return answer.status, {}


def _posted(point: str, receivers: list[dict[str, Any]]) -> dict[str, Any]:
    """The contact point as Grafana shows it, without its redacted secrets: those it fills in by uid."""
    configurations = [
        {
            "uid": one.get("uid"),
            "name": point,
            "type": one.get("type"),
            "disableResolveMessage": one.get("disableResolveMessage"),
            "settings": {key: value for key, value in table(one.get("settings")).items() if value != REDACTED},
        }
        for one in receivers
    ]
    return {"name": point, "grafana_managed_receiver_configs": configurations}


def _configurations(receiver: Any) -> Any:
    return table(receiver).get("grafana_managed_receiver_configs")
