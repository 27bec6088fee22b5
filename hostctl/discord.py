"""`discord look`: whether the webhook is there, without posting anything; and `post`, for what the host itself tells.

Owns: one GET of the webhook's address, which Discord answers without a token (its documentation, "Get Webhook with
Token"), a POST of one message, and what Discord's status codes mean for a webhook. Deliberately does not: repeat any
part of the address: whoever has it may post.
"""

from __future__ import annotations

import http.client
import json
import time
from typing import Any
from urllib.parse import urlsplit

from hostctl.documents import Document, table
from hostctl.errors import Refusal

REQUEST_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 10.0
_GONE = (401, 403, 404)
"""Discord asks never to use such a webhook again."""


def look(document: Document) -> dict[str, Any]:
    """{"seen": true} when it answers; {"seen": false, "reason"} when Discord cannot be reached from here, which is no
    reason to stop; raises Refusal when Discord says that there is no such webhook, for then no alert would arrive."""
    address = document.text("webhook")
    limit = time.monotonic() + document.seconds("limit_seconds", 15)
    while True:
        try:
            status, body, retry_after = _exchange(address, "GET")
        except (OSError, http.client.HTTPException) as error:
            return {"seen": False, "reason": f"no connection ({getattr(error, 'strerror', None) or error})"}
        if status == http.client.OK:
            return {"seen": True, "name": str(body.get("name") or "")}
        if status in _GONE:
            raise Refusal(meaning(status))
        pause = _pause(body, retry_after) if status == http.client.TOO_MANY_REQUESTS else LONGEST_WAIT_SECONDS
        if status < 429 or time.monotonic() + pause > limit:
            return {"seen": False, "reason": f"HTTP {status}"}
        time.sleep(pause)


def post(address: str, content: str, seconds: float) -> str:
    """Post one message; why it was not taken, empty when it was. A 429 and a lost connection are tried again."""
    limit, body = time.monotonic() + seconds, json.dumps({"content": content}).encode()
    while True:
        try:
            status, said, retry_after = _exchange(address, "POST", body)
        except (OSError, http.client.HTTPException) as error:
            told, pause = f"no connection to Discord ({getattr(error, 'strerror', None) or error})", 2.0
        else:
            if status in (http.client.OK, http.client.NO_CONTENT):
                return ""
            told = meaning(status) or f"Discord says {status}"
            pause = _pause(said, retry_after) if status == http.client.TOO_MANY_REQUESTS else LONGEST_WAIT_SECONDS
            if status < http.client.TOO_MANY_REQUESTS:
                return told
        if time.monotonic() + pause > limit:
            return told
        time.sleep(pause)


def meaning(status: int) -> str:
    """What Discord's answer to a webhook says, and how to mend it; empty for one that says nothing of its own."""
    if status in _GONE:
        return (
            f"Discord says {status} to the webhook: make one in the channel's settings, then "
            "`pulumi config set --secret discord_webhook`"
        )
    if status == http.client.TOO_MANY_REQUESTS:
        return "Discord still says 429, too many messages to this webhook: find who else posts to it, or wait a minute"
    return ""


def _exchange(address: str, method: str, body: bytes | None = None) -> tuple[int, dict[str, Any], str]:
    """Status, document, and the header Retry-After."""
    parts = urlsplit(address)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=REQUEST_SECONDS)
    try:
        headers = {"User-Agent": "sentinel-cutover", **({} if body is None else {"Content-Type": "application/json"})}
        connection.request(method, parts.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        retry_after = answer.getheader("Retry-After") or ""
        try:
            return answer.status, table(json.loads(content)), retry_after
        except ValueError:
            return answer.status, {}, retry_after
    finally:
        connection.close()


def _pause(body: dict[str, Any], header: str) -> float:
    """Seconds to wait after a 429: with a fraction in its body, whole ones in its header."""
    try:
        return min(LONGEST_WAIT_SECONDS, max(0.0, float(body.get("retry_after", header or 1))))
    except (TypeError, ValueError):
        return 1.0
