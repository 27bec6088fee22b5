"""n8n's address as the settings give it."""

from __future__ import annotations

from collections.abc import Iterator

from hostctl.core import http_json
from hostctl.inspection.finding import Finding
from hostctl.inspection.request import InspectRequest

ANSWER_SECONDS = 5.0


def n8n(request: InspectRequest) -> Iterator[Finding]:
    """Something answers HTTP at n8n's address; the health watch is one of several, so silence is a note."""
    if not request.n8n:
        return
    try:
        http_json.exchange("GET", request.n8n, None, {}, seconds=ANSWER_SECONDS)
    except http_json.NoAnswer as error:
        yield Finding(
            "n8n", "note", f"{request.n8n} gives no answer ({error})", "correct health_watch.url, or start n8n"
        )
    else:
        yield Finding("n8n", "ok", f"answers at {request.n8n}")
