"""`claude check`: our entry as it is in Claude's file now, and every other entry that leads to the port.

A running Claude writes its whole file back from its memory, and with it the former entry.
Deliberately does not: put anything back; `claude apply` does, in `make up`.
"""

from __future__ import annotations

from typing import Any

from hostctl.claude_client import other_entries
from hostctl.claude_client.editable import mounted_by
from hostctl.claude_client.json_edit import parsed
from hostctl.claude_client.record import load, read_file
from hostctl.claude_client.request import EntryRequest
from hostctl.core.documents import table
from hostctl.core.errors import Refusal
from hostctl.docker.engine import Engine


def check(place: EntryRequest) -> dict[str, Any]:
    """{"ok", "reason", "restored_at", "others", "unread"}: `others` are sentences on what a cutover does to each."""
    reason = _missing(place)
    found, unread = other_entries.others(place) if place.home else ([], [])
    others = [f"{entry.sentence}: {other_entries.outcome(place, entry)}" for entry in found]
    return {
        "ok": not reason,
        "reason": reason,
        "restored_at": str((load(place) or {}).get("lost", "")),
        "others": others,
        "unread": [*unread, *_mounted(place)],
    }


def _missing(place: EntryRequest) -> str:
    """The difference between our entry and the file, empty where there is none."""
    try:
        text = read_file(place.file)
        document = parsed(text, place.file) if text is not None else {}
    except Refusal as refusal:
        return str(refusal)
    for key in place.path:
        document = table(document.get(key))
    if document.get(place.entry) == place.value:
        return ""
    lost = "is not as declared" if place.entry in document else "is gone"
    former = f" and {place.predecessor} is there again" if place.predecessor in document else ""
    return f"Claude's entry {place.entry} {lost} in {place.file}{former}: `make up` puts it back"


def _mounted(place: EntryRequest) -> list[str]:
    if not place.docker_socket:
        return []
    try:
        names = mounted_by(Engine(place.docker_socket), place.file)
    except (Refusal, OSError):
        return []
    return [f"{name} mounts {place.file} and has its former content until it restarts" for name in names]
