"""`discord look | post`: whether the webhook is there, and one message to it.

Owns: one GET of the webhook's address, which Discord answers without a token (its documentation, "Get Webhook with
Token"), one POST that mentions nobody ("Execute Webhook"), and what Discord's status codes mean for a webhook.
Deliberately does not: repeat any part of the address: whoever has it may post.
"""

from __future__ import annotations

import http.client
import json
import time
from typing import Any
from urllib.parse import urlsplit

from hostctl.core.documents import Document, table
from hostctl.core.errors import Refusal

REQUEST_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 10.0
CONNECTION_SECONDS = 2.0
"""Between two tries to connect."""
MOST_CHARACTERS = 2000
"""Of a message, by Discord's documentation."""
_GONE = (401, 403, 404)
"""Discord asks never to use such a webhook again."""


def check(document: Document) -> dict[str, Any]:
    """{"seen": true} when it answers; {"seen": false, "reason"} when Discord cannot be reached from here, which is no
    reason to stop; raises Refusal when Discord says that there is no such webhook, for then no alert would arrive."""
    status, body, reason = _until_answered(document, "GET", None)
    if status == http.client.OK:
        return {"seen": True, "name": str(body.get("name") or "")}
    return {"seen": False, "reason": reason}


def post(document: Document) -> dict[str, Any]:
    """{"posted": true} when Discord took "content"; {"posted": false, "reason"} when it did not or cannot be reached;
    raises Refusal when there is no such webhook, or for a text that Discord would not take.

    With "patient" of true a missing connection is tried again until "limit_seconds": a host may have none yet.
    """
    content = document.text("content")
    if not 0 < len(content) <= MOST_CHARACTERS:
        raise Refusal(f"'content' in the document on stdin must have 1 to {MOST_CHARACTERS} characters")
    # What the text quotes must ring nobody's bell.
    message: dict[str, Any] = {"content": content, "allowed_mentions": {"parse": []}}
    status, _, reason = _until_answered(document, "POST", json.dumps(message).encode())
    if status in (http.client.OK, http.client.NO_CONTENT):
        return {"posted": True}
    return {"posted": False, "reason": reason}


def _until_answered(document: Document, method: str, content: bytes | None) -> tuple[int, dict[str, Any], str]:
    """Status (0 without a connection), document, and a reason; asks again as Discord says. Raises Refusal."""
    address = document.text("webhook")
    limit = time.monotonic() + document.seconds("limit_seconds", 15)
    while True:
        try:
            status, body, retry_after = _request(method, address, content)
        except (OSError, http.client.HTTPException) as error:
            if document.optional("patient") is True and time.monotonic() + CONNECTION_SECONDS < limit:
                time.sleep(CONNECTION_SECONDS)
                continue
            return 0, {}, f"no connection ({getattr(error, 'strerror', None) or error})"
        if status in _GONE:
            raise Refusal(meaning(status))
        pause = _pause(body, retry_after) if status == http.client.TOO_MANY_REQUESTS else LONGEST_WAIT_SECONDS
        # A message that met an error of Discord's own may be in the channel all the same.
        again = status == http.client.TOO_MANY_REQUESTS or (status > http.client.TOO_MANY_REQUESTS and not content)
        if not again or time.monotonic() + pause > limit:
            return status, body, f"HTTP {status}"
        time.sleep(pause)


def meaning(status: int) -> str:
    """What Discord's answer to a webhook says, and how to fix it; empty for one that says nothing of its own."""
    if status in _GONE:
        return (
            f"Discord says {status} to the webhook: make one in the channel's settings, then "
            "`pulumi config set --secret discord_webhook`"
        )
    if status == http.client.TOO_MANY_REQUESTS:
        return "Discord still says 429, too many messages to this webhook: find who else posts to it, or wait a minute"
    return ""


def _request(method: str, address: str, content: bytes | None) -> tuple[int, dict[str, Any], str]:
    """Status, document, and the header Retry-After."""
    parts = urlsplit(address)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=REQUEST_SECONDS)
    headers = {"User-Agent": "sentinel-cutover", **({"Content-Type": "application/json"} if content else {})}
    try:
        connection.request(method, parts.path, content, headers)
        answer = connection.getresponse()
        said = answer.read()
        retry_after = answer.getheader("Retry-After") or ""
        try:
            return answer.status, table(json.loads(said)), retry_after
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
