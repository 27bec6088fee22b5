"""`discord check | post`: ask Discord for the webhook, and post one message to it.

Owns: one GET of the webhook's address, which Discord answers without a token (its documentation, "Get Webhook with
Token"), one POST that mentions nobody ("Execute Webhook"), and the meaning of Discord's status codes for a webhook.
Deliberately does not: repeat any part of the address: whoever has it may post.
"""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass, field
from typing import Any

from hostctl.core import http_json, secret_file
from hostctl.core.documents import table
from hostctl.core.errors import Refusal
from hostctl.core.http_json import Answer, NoAnswer

REQUEST_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 10.0
CONNECTION_SECONDS = 2.0
"""The pause between two attempts to connect."""
MOST_CHARACTERS = 2000
"""The longest message, by Discord's documentation."""
_GONE = (401, 403, 404)
"""Discord's terms forbid using such a webhook again."""


@dataclass(frozen=True)
class CheckRequest:
    """The webhook's file on the host, or its address where the host has none. With `patient` a missing connection is
    tried again until `limit_seconds`: right after a boot a host may have none yet."""

    webhook_file: str = ""
    webhook: str = field(default="", repr=False)
    limit_seconds: float = 15.0
    patient: bool = False

    def __post_init__(self) -> None:
        if bool(self.webhook_file) == bool(self.webhook):
            raise Refusal("the document on stdin must have one of 'webhook_file' and 'webhook': give one of them")


@dataclass(frozen=True)
class PostRequest(CheckRequest):
    """One message, in Discord's Markdown."""

    content: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < len(self.content) <= MOST_CHARACTERS:
            raise Refusal(f"'content' in the document on stdin must have 1 to {MOST_CHARACTERS} characters")


def check(request: CheckRequest) -> dict[str, Any]:
    """{"seen": true, "name"}; {"seen": false, "reason"} where Discord cannot be reached, which is no reason to stop.

    Raises Refusal when Discord has no such webhook, since no alert would arrive.
    """
    answer, reason = _answer(request, "GET", None)
    if answer is not None and answer.status == http.client.OK:
        return {"seen": True, "name": str(table(answer.body).get("name") or "")}
    return {"seen": False, "reason": reason}


def post(request: PostRequest) -> dict[str, Any]:
    """{"posted": true} when Discord took the message, else {"posted": false, "reason"}.

    Raises Refusal when Discord has no such webhook.
    """
    # A quotation in the text must not notify anybody.
    message = {"content": request.content, "allowed_mentions": {"parse": list[str]()}}
    answer, reason = _answer(request, "POST", message)
    if answer is not None and answer.status in (http.client.OK, http.client.NO_CONTENT):
        return {"posted": True}
    return {"posted": False, "reason": reason}


def meaning(status: int) -> str:
    """The cause and the fix behind Discord's answer to a webhook; empty for a status without a meaning of its own."""
    if status in _GONE:
        return (
            f"Discord answers {status} for the webhook: make a new one in the channel's settings, then "
            "`pulumi config set --secret discord_webhook`"
        )
    if status == http.client.TOO_MANY_REQUESTS:
        return (
            "Discord still answers 429, too many messages for this webhook: find out who else posts to it, or wait a "
            "minute"
        )
    return ""


def _answer(request: CheckRequest, method: str, message: object) -> tuple[Answer | None, str]:
    """Discord's answer, None without a connection, and a reason; repeats as Discord permits. Raises Refusal."""
    url = request.webhook or secret_file.read(request.webhook_file)
    limit = time.monotonic() + request.limit_seconds
    while True:
        try:
            answer = http_json.exchange(method, url, message, seconds=REQUEST_SECONDS)
        except NoAnswer as error:
            if request.patient and not error.connected and time.monotonic() + CONNECTION_SECONDS < limit:
                time.sleep(CONNECTION_SECONDS)
                continue
            return None, str(error)
        if answer.status in _GONE:
            raise Refusal(meaning(answer.status))
        throttled = answer.status == http.client.TOO_MANY_REQUESTS
        pause = _pause(answer) if throttled else LONGEST_WAIT_SECONDS
        # A message that met an error of Discord's own may be in the channel all the same.
        again = throttled or (answer.status > http.client.TOO_MANY_REQUESTS and message is None)
        if not again or time.monotonic() + pause > limit:
            return answer, f"HTTP {answer.status}"
        time.sleep(pause)


def _pause(answer: Answer) -> float:
    """Seconds to wait after a 429: with a fraction in its body, whole in its header."""
    try:
        seconds = float(table(answer.body).get("retry_after", answer.headers.get("retry-after") or 1))
    except (TypeError, ValueError):
        return 1.0
    return min(LONGEST_WAIT_SECONDS, max(0.0, seconds))
