"""`discord look`: whether the webhook is there, without posting anything.

Owns: one GET of the webhook's address, which Discord answers without a token (its documentation, "Get Webhook with
Token"), and what Discord's status codes mean for a webhook. Deliberately does not: post, or repeat any part of the
address: whoever has it may post.
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
            status, body, retry_after = _get(address)
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


def _get(address: str) -> tuple[int, dict[str, Any], str]:
    """Status, document, and the header Retry-After."""
    parts = urlsplit(address)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=REQUEST_SECONDS)
    try:
        connection.request("GET", parts.path, headers={"User-Agent": "sentinel-cutover"})
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
