"""Claude's entry on the stack's host, as it is now: a running Claude may have overwritten it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from components.claude_client import entry_request
from console.errors import UserError
from console.progress import Progress
from ops.engine import host, host_repair, state
from settings import Settings

Entry = Mapping[str, Any]


def checked(stack: str, settings: Settings) -> Entry:
    """The answer of `claude check`; "reason" says why there is none."""
    try:
        return host.run(stack, settings, "claude", "check", entry_request(settings))
    except UserError as error:
        return {"ok": False, "reason": str(error), "restored_at": "", "others": [], "unread": []}


def kept_at_the_end(
    stack: str, settings: Settings, resources: Callable[[], state.Resources], progress: Progress
) -> Entry:
    """The entry once a run has ended; put back where a running Claude has overwritten it meanwhile."""
    entry = checked(stack, settings)
    if settings.active != "sentinel" or entry["ok"]:
        return entry
    progress.line(str(entry["reason"]))
    host_repair.keep_claude(stack, settings, resources(), progress)
    return checked(stack, settings)


def lines(entry: Entry) -> list[str]:
    """A line for each other entry that leads to the port, and for each file of Claude's with a problem."""
    notes = [*entry["others"], *entry["unread"]]
    return [f"{'entries' if not at else '':<9}  {note}" for at, note in enumerate(notes)]
