"""The entries for the port beside the configured one: recorded, replaced by ours under their own names, and restored.

Owns: `others/N/` in the product's folder for Claude, a record for each entry, in the order in which they were changed.
Deliberately does not: touch an entry of `client.entries: configured`, or Claude's token: the configured entry has it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from typing import Any

from hostctl.claude_client import applied, editable, found_entries
from hostctl.claude_client.found_entries import Found
from hostctl.claude_client.record import OTHERS, capture, load, read_file, save, sealed
from hostctl.claude_client.request import Place
from hostctl.core import folders, json_file
from hostctl.core.documents import parsed, table
from hostctl.core.errors import Refusal


def record(place: Place) -> None:
    """Record each other entry that a cutover will change, and name them all; raises Refusal for one that cannot be."""
    if not place.home:
        return
    _require_trust(place)
    found, unread = others(place)
    for sentence in unread:
        print(f"claude: {sentence}", file=sys.stderr)
    for entry in found:
        print(f"claude: {entry.sentence} leads to port {place.port}: {outcome(place, entry)}", file=sys.stderr)
        if _is_changed(place, entry):
            editable.require_editable(entry.file)
        elif entry.twice:
            continue
        # The record of one that stays has its token, for the sessions that are open with it.
        _record_of(place, entry)


def apply(place: Place, entry: dict[str, Any]) -> list[str]:
    """Replace each; the sentences on those that could not be, which stops nothing after the handover."""
    left: list[str] = []
    for found in others(place)[0] if place.home else ():
        if not _is_changed(place, found):
            continue
        try:
            applied.put(*_record_of(place, found), entry)
        except Refusal as refusal:
            left.append(str(refusal))
    return left


def restore(place: Place) -> list[str]:
    """Restore each, the last one first; the sentences on those that could not be, whose records stay."""
    left: list[str] = []
    for other, before in reversed(list(_recorded(place))):
        try:
            if before.get("begun"):
                applied.take_out(other, before)
            shutil.rmtree(other.folder)
        except Refusal as refusal:
            left.append(str(refusal))
    if not left:
        shutil.rmtree(place.within(OTHERS), ignore_errors=True)
    return left


def retire(place: Place) -> None:
    """Once the predecessor is retired no former entry comes back: a restore then removes ours."""
    for other, before in _recorded(place):
        if before.get("begun") and table(before["found"]).get("ours"):
            save(other, {**before, "found": {**table(before["found"]), "ours": None}, "before": None, "applied": None})


def others(place: Place) -> tuple[list[Found], list[str]]:
    """The entries but the configured one and the predecessor's beside it; and the files that cannot be read."""
    found, unread = found_entries.find(place)
    project = place.project if place.scope == "local" else ""
    configured = {(os.path.realpath(place.file), place.scope, project, name) for name in (place.entry, place.replaces)}
    return [entry for entry in found if entry.identity not in configured], unread


def outcome(place: Place, entry: Found) -> str:
    """The effect of a cutover on it."""
    if _is_changed(place, entry):
        return "a cutover changes it with the configured one, a rollback restores it"
    if place.entries == "all":
        return "it is left, since Claude does not trust its folder yet: start claude there once, then run again"
    return "client.entries is configured, so it keeps ContextForge's token: change it by hand"


def _require_trust(place: Place) -> None:
    """Raise Refusal for a configured entry of a folder in which Claude would not run the program for its header."""
    if place.scope == "user" or not place.project:
        return
    documents = [parsed(read_file(file) or "{}") or {} for file in found_entries.user_files(place)]
    if not any(found_entries.trusts(document, place.project) for document in documents):
        raise Refusal(
            f"Claude does not trust the folder {place.project}, so that the entry {place.entry} would have no token: "
            "start claude there once, accept its dialog, then run again"
        )


def _is_changed(place: Place, entry: Found) -> bool:
    """True for one that a cutover changes: Claude runs no program for the header of a folder that it does not trust."""
    return place.entries == "all" and entry.trusted


def _record_of(place: Place, entry: Found) -> tuple[Place, dict[str, Any]]:
    """Its place, and its record, which is made where there is none."""
    if entry.twice:
        raise Refusal(f"the name {entry.entry} occurs twice in {entry.file}: remove one, then run again")
    known = list(_recorded(place))
    for other, before in known:
        if other.identity == _place(place, entry, other.folder).identity:
            return other, before
    number = 1 + max((int(os.path.basename(other.folder)) for other, _ in known), default=0)
    other = _place(place, entry, os.path.join(place.within(OTHERS), str(number)))
    folders.make(other.folder, 0o700)
    found = capture(read_file(other.file), other)
    before = sealed({"identity": other.identity, "found": found, "token": {"exists": False}})
    save(other, before)
    return other, before


def _recorded(place: Place) -> Iterator[tuple[Place, dict[str, Any]]]:
    folder = place.within(OTHERS)
    names = os.listdir(folder) if os.path.isdir(folder) else []
    for name in sorted(filter(str.isdigit, names), key=int):
        within = os.path.join(folder, name)
        kept = json_file.read(os.path.join(within, "record.json"))
        if kept:
            other = Place(folder=within, issuer=place.issuer, **table(kept.get("identity")))
            yield other, load(other) or kept


def _place(place: Place, entry: Found, folder: str) -> Place:
    return Place(
        file=entry.file,
        entry=entry.entry,
        token_file=place.token_file,
        folder=folder,
        scope=entry.scope,
        project=entry.project,
        replaces=entry.entry,
        issuer=place.issuer,
    )
