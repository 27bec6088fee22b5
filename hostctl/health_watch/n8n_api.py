"""n8n's public API: `/api/v1`, with a key in the header X-N8N-API-KEY.

Owns: the requests, the pages of the list, the status codes in words. A new webhook makes a new credential, since older
versions cannot change one. Deliberately does not: know which workflow is ours, or repeat the key.
Source: https://docs.n8n.io/api/, and n8n 2.8.4 as run in the lab.
"""

from __future__ import annotations

import http.client
import json
import re
import time
from typing import Any
from urllib.parse import quote, urlsplit

from hostctl.core.documents import rows, table
from hostctl.core.errors import Refusal

REQUEST_SECONDS = 30.0
POLL_SECONDS = 0.5
PAGE = 100
_ADDRESS = re.compile(r"https?://\S+")


class Api:
    """One n8n and one key. `seconds` is how long is waited for an n8n that is just starting."""

    def __init__(self, url: str, key: str, seconds: float) -> None:
        self._url, self._key = url.rstrip("/"), key
        self._until = time.monotonic() + seconds

    def workflows(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = table(self._asked("GET", f"/workflows?limit={PAGE}{cursor and '&cursor=' + quote(cursor, safe='')}"))
            found += [table(one) for one in rows(page.get("data"))]
            cursor = str(page.get("nextCursor") or "")
            if not cursor:
                return found

    def make_credential(self, name: str, data: dict[str, str]) -> str:
        body = {"name": name, "type": "discordWebhookApi", "data": data}
        return str(table(self._asked("POST", "/credentials", body))["id"])

    def make(self, workflow: dict[str, Any]) -> str:
        return str(table(self._asked("POST", "/workflows", workflow))["id"])

    def change(self, identity: str, workflow: dict[str, Any]) -> None:
        self._asked("PUT", f"/workflows/{quote(identity, safe='')}", workflow)

    def publish(self, identity: str) -> None:
        self._asked("POST", f"/workflows/{quote(identity, safe='')}/activate")

    def retire(self, identity: str) -> None:
        self._asked("DELETE", f"/workflows/{quote(identity, safe='')}", absent=True)

    def forget_credential(self, identity: str) -> None:
        self._asked("DELETE", f"/credentials/{quote(identity, safe='')}", absent=True)

    def executions(self, workflow: str) -> list[dict[str, Any]]:
        """Its runs that have left a trace, without their data."""
        found = table(self._asked("GET", f"/executions?limit=20&workflowId={quote(workflow, safe='')}"))
        return [table(one) for one in rows(found.get("data"))]

    def failure(self, execution: str) -> str:
        """n8n's own words for why a run failed; an address in them is left out, for it may be the webhook's."""
        found = table(self._asked("GET", f"/executions/{quote(execution, safe='')}?includeData=true"))
        error = table(table(table(found.get("data")).get("resultData")).get("error"))
        words = [str(error.get(key)) for key in ("message", "description") if error.get(key)]
        return _ADDRESS.sub("[address]", ": ".join(words)) or "no reason given"

    def _asked(self, method: str, path: str, body: object = None, *, absent: bool = False) -> Any:
        """The answer's document; with `absent` a 404 is as good as done."""
        status, answer = self._exchange_when_up(method, path, body)
        if status < http.client.BAD_REQUEST or (absent and status == http.client.NOT_FOUND):
            return answer
        if status == http.client.UNAUTHORIZED:
            raise Refusal(
                "n8n refuses its key: make one in n8n under Settings, n8n API, then "
                "`pulumi config set --secret n8n_api_key`"
            )
        if status == http.client.FORBIDDEN:
            raise Refusal(
                f"n8n's key may not {method} {path.partition('?')[0]}: give it workflow and credential scopes"
            )
        reason = table(answer).get("message") or "no reason given"
        raise Refusal(f"n8n says {status} to {method} {path.partition('?')[0]} ({reason}): look at its log")

    def _exchange_when_up(self, method: str, path: str, body: object) -> tuple[int, Any]:
        """A starting n8n refuses the connection, answers 404 to everything, or 503."""
        while True:
            try:
                status, answer = self._exchange(method, path, body)
                waits = status in (http.client.BAD_GATEWAY, http.client.SERVICE_UNAVAILABLE)
                why = f"HTTP {status}"
            except ConnectionRefusedError as error:
                status, answer, waits, why = 0, None, True, error.strerror
            except (OSError, http.client.HTTPException) as error:
                # It may have been carried out: not again.
                why = getattr(error, "strerror", None) or error
                raise Refusal(f"n8n does not answer at {self._url} ({why}): start it, then run again") from None
            if not waits:
                return status, answer
            if time.monotonic() + POLL_SECONDS > self._until:
                raise Refusal(f"n8n does not answer at {self._url} ({why}): start it, or set health_watch.url")
            time.sleep(POLL_SECONDS)

    def _exchange(self, method: str, path: str, body: object) -> tuple[int, Any]:
        parts = urlsplit(self._url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=REQUEST_SECONDS)
        headers = {"X-N8N-API-KEY": self._key, "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(
                method, f"{parts.path}/api/v1{path}", None if body is None else json.dumps(body), headers
            )
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        try:
            return answer.status, json.loads(content)
        except ValueError:
            return answer.status, {}
