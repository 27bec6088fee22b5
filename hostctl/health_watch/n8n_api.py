"""n8n's public API: `/api/v1`, with a key in the header X-N8N-API-KEY.

Owns: the requests, the pages of the list, the meaning of status codes. A new webhook makes a new credential, since
older versions cannot change one. Deliberately does not: know which workflow is ours, or repeat the key.
Source: https://docs.n8n.io/api/, and n8n 2.8.4 as run in the lab.
"""

from __future__ import annotations

import http.client
import re
import time
from typing import Any
from urllib.parse import quote

from hostctl.core import http_json
from hostctl.core.documents import rows, table
from hostctl.core.errors import Refusal
from hostctl.core.http_json import NoAnswer

REQUEST_SECONDS = 30.0
POLL_SECONDS = 0.5
PAGE = 100
_ADDRESS = re.compile(r"https?://\S+")


class Api:
    """One n8n and one key. `seconds` is the patience with an n8n that is just starting."""

    def __init__(self, url: str, key: str, seconds: float) -> None:
        self._url = url.rstrip("/")
        self._headers = {"X-N8N-API-KEY": key, "Accept": "application/json"}
        self._until = time.monotonic() + seconds

    def workflows(self) -> list[dict[str, Any]]:
        workflows: list[dict[str, Any]] = []
        path = f"/workflows?limit={PAGE}"
        while True:
            page = table(self._result("GET", path))
            workflows += map(table, rows(page.get("data")))
            if not page.get("nextCursor"):
                return workflows
            path = f"/workflows?limit={PAGE}&cursor={quote(str(page['nextCursor']), safe='')}"

    def make_credential(self, name: str, data: dict[str, str]) -> str:
        body = {"name": name, "type": "discordWebhookApi", "data": data}
        return str(table(self._result("POST", "/credentials", body))["id"])

    def make(self, workflow: dict[str, Any]) -> str:
        return str(table(self._result("POST", "/workflows", workflow))["id"])

    def change(self, identity: str, workflow: dict[str, Any]) -> None:
        self._result("PUT", f"/workflows/{quote(identity, safe='')}", workflow)

    def publish(self, identity: str) -> None:
        self._result("POST", f"/workflows/{quote(identity, safe='')}/activate")

    def retire(self, identity: str) -> None:
        self._result("DELETE", f"/workflows/{quote(identity, safe='')}", absent=True)

    def forget_credential(self, identity: str) -> None:
        self._result("DELETE", f"/credentials/{quote(identity, safe='')}", absent=True)

    def executions(self, workflow: str) -> list[dict[str, Any]]:
        """The recorded runs of a workflow, without their data."""
        page = table(self._result("GET", f"/executions?limit=20&workflowId={quote(workflow, safe='')}"))
        return [table(execution) for execution in rows(page.get("data"))]

    def failure(self, execution: str) -> str:
        """n8n's own reason why a run failed; an address in it is left out, for it may be the webhook's."""
        details = table(self._result("GET", f"/executions/{quote(execution, safe='')}?includeData=true"))
        error = table(table(table(details.get("data")).get("resultData")).get("error"))
        reasons = [str(error.get(key)) for key in ("message", "description") if error.get(key)]
        return _ADDRESS.sub("[address]", ": ".join(reasons)) or "no reason given"

    def _result(self, method: str, path: str, body: object = None, *, absent: bool = False) -> Any:
        """The answer's document; with `absent` a 404 counts as done."""
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
        raise Refusal(f"n8n answers {status} to {method} {path.partition('?')[0]} ({reason}): see its log")

    def _exchange_when_up(self, method: str, path: str, body: object) -> tuple[int, Any]:
        """Send the request until n8n is up: while it starts it refuses the connection, or answers 502 or 503."""
        url, place = f"{self._url}/api/v1{path}", f"n8n does not answer at {self._url}"
        while True:
            try:
                answer = http_json.exchange(method, url, body, self._headers, seconds=REQUEST_SECONDS)
            except NoAnswer as error:
                if error.connected:
                    # It may have been carried out, so it is not repeated.
                    raise Refusal(f"{place} ({error.reason}): start it, then run again") from None
                reason = error.reason
            else:
                if answer.status not in (http.client.BAD_GATEWAY, http.client.SERVICE_UNAVAILABLE):
                    return answer.status, answer.body or {}
                reason = f"HTTP {answer.status}"
            if time.monotonic() + POLL_SECONDS > self._until:
                raise Refusal(f"{place} ({reason}): start it, or set health_watch.url")
            time.sleep(POLL_SECONDS)
