"""`claude probe`: one MCP session with an entry of Claude's file, opened and closed as Claude would."""

from __future__ import annotations

from typing import Any

from hostctl.claude_client import resolved_entry
from hostctl.claude_client.request import Place
from hostctl.core.errors import Refusal
from hostctl.mcp.client import CallFailed, Session

SESSION_SECONDS = 10.0


def probe(place: Place) -> dict[str, Any]:
    """{"usable": true, false, or null for an entry that starts a program, "detail": the reason}; holds no header."""
    try:
        entry = resolved_entry.show(place)
    except Refusal as refusal:
        return {"usable": False, "detail": str(refusal)}
    if entry["transport"] != "http":
        return {"usable": None, "detail": f"the entry {place.entry} starts a program of its own"}
    try:
        Session.open(entry["url"], entry["headers"], SESSION_SECONDS).close()
    except CallFailed as failure:
        return {"usable": False, "detail": f"the entry {place.entry} at {entry['url']}: {failure}"}
    return {"usable": True, "detail": f"the entry {place.entry} is accepted at {entry['url']}"}
