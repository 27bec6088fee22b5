"""The Claude Code sessions that are open on the stack's host, and those that a person must restart after a handover."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.base.handover_members import handover_folder
from components.claude_client import place
from console.errors import UserError
from ops.engine import host
from settings import Settings

Sessions = Sequence[Mapping[str, Any]]


def found(stack: str, settings: Settings, following: str = "") -> Sessions | None:
    """The open sessions, oldest first; None where the host cannot list them: nothing waits for them.

    `following` is the gateway that is about to get the port.
    """
    claude, folder = place(settings), settings.host.folder
    request = {
        "file": claude["file"],
        "folder": claude["folder"],
        "handovers": handover_folder(folder),
        "grace": f"{folder}/grace",
        "grace_hours": settings.client.grace_hours if settings.sentinel.serve == "bridge" else 0,
        "next": following,
    }
    try:
        return host.run(stack, settings, "claude", "sessions", request)["sessions"]
    except UserError:
        return None


def lines(sessions: Sessions | None) -> list[str]:
    """The count, and a line for each session that a person must restart."""
    if sessions is None:
        return ["sessions   unknown: the host could not list Claude's processes"]
    cut_off = [session for session in sessions if not session["goes_on"]]
    return [
        f"sessions   {summary(sessions)}",
        *(f"           restart {described(session)}: {session['reason']}" for session in cut_off),
    ]


def summary(sessions: Sessions) -> str:
    """Such as `3 are open: 2 go on, 1 needs a restart`."""
    if not sessions:
        return "none is open"
    on = sum(bool(session["goes_on"]) for session in sessions)
    off = len(sessions) - on
    parts = [f"{on} {'goes' if on == 1 else 'go'} on"] if on else []
    parts += [f"{off} {'needs' if off == 1 else 'need'} a restart"] if off else []
    return f"{len(sessions)} {'is' if len(sessions) == 1 else 'are'} open: {', '.join(parts)}"


def described(session: Mapping[str, Any]) -> str:
    """Such as `process 4711 in /home/operator/notes, open since 2026-11-29 12:03 UTC`."""
    since = str(session["since"])
    return f"process {session['pid']} in {session['folder']}, open since {since[:10]} {since[11:16]} UTC"
