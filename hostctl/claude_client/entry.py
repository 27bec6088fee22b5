"""The text of Claude's file with our entry, or with the recorded entries restored, and with nothing else changed."""

from __future__ import annotations

from typing import Any

from hostctl.claude_client.json_edit import (
    Object,
    indentation,
    objects_along,
    parsed,
    rendered,
    rendered_value,
    with_last,
    without,
)
from hostctl.claude_client.request import Place
from hostctl.core.documents import table
from hostctl.core.errors import Refusal


def with_entry(text: str | None, place: Place, entry: dict[str, Any]) -> str:
    """The text with our entry, in place of the predecessor's where there is one."""
    start = text if text is not None else "{}\n"
    document = parsed(start, place.file)
    objects = objects_along(start, place.path, place.file)
    holder, missing = objects[-1], place.path[len(objects) - 1 :]
    if missing:
        nested: Any = {place.entry: entry}
        for key in reversed(missing[1:]):
            nested = {key: nested}
        return with_last(start, holder, missing[0], nested)
    ours, theirs = holder.member(place.entry), holder.member(place.predecessor) if place.predecessor else None
    new = start
    if ours is None and theirs is None:
        return with_last(start, holder, place.entry, entry)
    if ours is None and theirs is not None:
        member = rendered(start, place.entry, entry, indentation(start, theirs.start))
        return start[: theirs.start] + member + start[theirs.end :]
    if ours is not None and _below(document, place.path)[place.entry] != entry:
        # The key keeps its spelling and its white space.
        value = rendered_value(start, entry, indentation(start, ours.start))
        new = start[: ours.value] + value + start[ours.end :]
    if ours is not None and theirs is not None:
        holder = objects_along(new, place.path, place.file)[-1]
        at = holder.index(place.predecessor)
        new = without(new, holder, at) if at is not None else new
    return new


def without_entry(text: str | None, place: Place, recorded: dict[str, Any]) -> str | None:
    """The text with the recorded entries in place of ours, whatever else it holds by now."""
    ours, theirs = recorded["ours"], recorded["theirs"]
    if text is None and not (ours or theirs):
        return None
    start = text if text is not None else "{}\n"
    parsed(start, place.file)
    along = objects_along(start, place.path, place.file)
    if len(along) <= len(place.path):
        return _restored_objects(start, place, [raw for raw in (theirs, ours) if raw])
    holder = along[-1]
    mine = holder.member(place.entry)
    present = bool(place.predecessor) and holder.member(place.predecessor) is not None
    if ours:
        start = _put(start, place, holder, place.entry, ours)
    elif mine is not None and theirs and not present:
        return start[: mine.start] + theirs["member"] + start[mine.end :]
    elif mine is not None:
        start = _removed(start, place, recorded)
    if theirs and not present:
        start = _put(start, place, objects_along(start, place.path, place.file)[-1], place.predecessor, theirs)
    return start


def _put(text: str, place: Place, holder: Object, key: str, raw: dict[str, Any]) -> str:
    """Restore a recorded member: its value where the key still exists, else at its old place, else at the end."""
    member = holder.member(key)
    if member is not None:
        return text[: member.value] + raw["value"] + text[member.end :]
    # An empty name is a name: only null says that the member was the first.
    before = holder.member(raw["after"]) if raw.get("after") is not None else None
    if before is not None:
        return text[: before.end] + raw["cut"] + text[before.end :]
    if "cut" in raw and raw.get("after") is None and holder.members:
        first = holder.members[0].start
        return text[:first] + raw["cut"] + text[first:]
    return with_last(text, holder, key, None, raw["member"])


def _removed(text: str, place: Place, recorded: dict[str, Any]) -> str:
    """Remove our entry, and the objects around it that were made for it and hold nothing else."""
    levels = int(recorded["levels"]) if recorded["exists"] else 0
    along = objects_along(text, place.path, place.file)
    depth, keys = len(place.path), [*place.path, place.entry]
    while depth > levels and len(along[depth].members) == 1:
        depth -= 1
    at = along[depth].index(keys[depth])
    return text if at is None else without(text, along[depth], at, str(recorded["empty"]) if depth == levels else "{}")


def _restored_objects(text: str, place: Place, raws: list[dict[str, Any]]) -> str:
    """Put the recorded entries into a file that has lost the object that held them."""
    if not raws:
        return text
    along = objects_along(text, place.path, place.file)
    missing = place.path[len(along) - 1 :]
    nested: Any = parsed("{" + ",".join(raw["member"] for raw in raws) + "}", "the record")
    for key in reversed(missing[1:]):
        nested = {key: nested}
    return with_last(text, along[-1], missing[0], nested)


def require_only_entries_differ(text: str | None, new: str, place: Place, entry: dict[str, Any]) -> None:
    """Check the candidate before it replaces anything; raises Refusal."""
    before, after = parsed(text if text is not None else "{}", place.file), parsed(new, place.file)
    entries = _below(after, place.path)
    if entries.get(place.entry) != entry or place.predecessor in entries:
        raise Refusal(f"{place.file} could not be edited safely: add the entry by hand; it was left as it is")
    try:
        same = _stripped(before, place) == _stripped(after, place)
    except RecursionError:
        raise Refusal(
            f"{place.file} is nested too deeply to be Claude's file: correct client.file; it was left as it is"
        ) from None
    if not same:
        raise Refusal(
            f"{place.file} could not be edited without another change: add the entry by hand; it was left as it is"
        )


def _stripped(document: dict[str, Any], place: Place) -> dict[str, Any]:
    """The document without the entries, and without the objects around them that this leaves empty."""
    along = [dict(document)]
    for key in place.path:
        along.append(dict(table(along[-1].get(key))))
        if key in along[-2]:
            along[-2][key] = along[-1]
    for key in (place.entry, place.predecessor):
        along[-1].pop(key, None)
    for at in range(len(place.path), 0, -1):
        if not along[at]:
            along[at - 1].pop(place.path[at - 1], None)
    return along[0]


def _below(document: dict[str, Any], path: list[str]) -> dict[str, Any]:
    for key in path:
        document = table(document.get(key))
    return document
