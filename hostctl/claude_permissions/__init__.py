"""`permissions add|remove`: Claude's rules for the predecessor's tools, said of the new entry's as well.

A rule that names the former entry matches nothing once the new one is there: Claude then asks again for everything,
and **a tool that was denied is open**. So the counterparts come before the handover, deny first, each beside the rule
that it copies and never wider, and a rollback takes out those that nobody has changed.

Owns: `permissions/` in the product's folder for Claude: the record of every edited file, and its former content (0600).
Deliberately does not: remove or change a rule, or touch managed settings; what has no counterpart is listed.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, field
from typing import Any

from hostctl.claude_client import other_entries
from hostctl.claude_client.record import digest_of, make_folder, read_file
from hostctl.claude_client.request import Place
from hostctl.claude_client.rewrite import rewrite
from hostctl.claude_permissions import front_matter, rules, settings_text
from hostctl.claude_permissions.files import MANAGED, managed, rule_files
from hostctl.claude_permissions.rules import Names
from hostctl.claude_permissions.settings_text import Edited
from hostctl.core import atomic_file, folders, json_file
from hostctl.core.documents import rows, table
from hostctl.core.errors import Refusal
from hostctl.core.lock import held

FOLDER, RECORD = "permissions", "record.json"


@dataclass(frozen=True)
class PermissionsRequest(Place):
    """The entry's place; `names` has Sentinel's name of each tool of the predecessor's, empty where it is not known
    again; `mode` is add or report."""

    names: dict[str, Any] = field(default_factory=dict[str, Any])
    mode: str = "add"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mode not in ("add", "report"):
            raise Refusal("'mode' in the document on stdin must be add or report")


def add(place: PermissionsRequest) -> dict[str, Any]:
    """{"files": [{"file", "rules", "closing"}], "listed": sentences}; raises Refusal for a file that denies something
    and cannot be edited."""
    with _held(place):
        kept = _kept(place)
        names = Names(_entries(place), {**table(kept.get("names")), **place.names})
        listed = _managed_rules(names)
        answers: list[dict[str, Any]] = []
        if place.mode == "add":
            _save(place, {**kept, "names": dict(names.tools)})
        for file in sorted(rule_files(place), key=lambda file: not file.endswith(".json")):
            try:
                edited = _edited(file, read_file(file) or "", names)
                listed += edited.unmapped
                if edited.edits and place.mode == "add":
                    _change(place, file, names)
            except Refusal as refusal:
                if _closes(file, names):
                    raise
                listed.append(str(refusal))
                continue
            if edited.edits:
                answers.append({"file": file, "rules": len(edited.edits), "closing": edited.closing})
    _report(place, answers, listed)
    return {"files": answers, "listed": listed, "mode": place.mode}


def remove(place: PermissionsRequest) -> dict[str, Any]:
    """Take out what was added and is still there: the whole file where nobody has changed it. {"removed", "left"}"""
    if not os.path.isdir(_folder(place)):
        return {"removed": [], "left": []}
    removed: list[str] = []
    left: list[str] = []
    with _held(place):
        kept = _kept(place)
        files = rows(kept.get("files"))
        for entry in reversed(files[:]):
            try:
                if _take_out(place, table(entry)):
                    removed.append(str(entry["file"]))
                files.remove(entry)
                _save(place, {**kept, "files": files})
            except Refusal as refusal:
                left.append(str(refusal))
    if left:
        raise Refusal("; ".join(left))
    shutil.rmtree(_folder(place))
    return {"removed": removed, "left": left}


def _report(place: PermissionsRequest, answers: list[dict[str, Any]], listed: list[str]) -> None:
    """Show the operator what is left to do by hand."""
    for answer in answers if place.mode == "report" else ():
        rule = "rule has" if answer["rules"] == 1 else "rules have"
        print(
            f"claude: {answer['rules']} {rule} no counterpart in {answer['file']}, {answer['closing']} of them closing "
            "something: client.permissions is report",
            file=sys.stderr,
        )
    for sentence in listed:
        print(f"claude: no counterpart for {sentence}", file=sys.stderr)


def _change(place: PermissionsRequest, file: str, names: Names) -> None:
    """Edit one file; the record and the former content are on the disk before it."""

    def change(text: str | None) -> str | None:
        if text is None:
            return None
        edited = _edited(file, text, names)
        if edited.edits:
            _note(place, file, text, edited)
        return edited.text

    rewrite(file, change)


def _note(place: PermissionsRequest, file: str, text: str, edited: Edited) -> None:
    kept = _kept(place)
    files = [table(entry) for entry in rows(kept.get("files"))]
    known = next((entry for entry in files if entry["file"] == file), dict[str, Any]())
    if not known:
        number = 1 + max((int(entry["copy"]) for entry in files), default=0)
        known |= {"file": file, "copy": number, "edits": [], "before": digest_of(text), "applied": None}
        files.append(known)
        atomic_file.write(_copy(place, number), text.encode(), 0o600)
    # A second edit of a file that somebody has changed in between: the former content no longer counts.
    whole = known["applied"] in (None, digest_of(text))
    known["edits"] = [*known["edits"], *(edit for edit in edited.edits if edit not in known["edits"])]
    known["applied"] = digest_of(edited.text) if whole else ""
    _save(place, {**kept, "files": files})


def _take_out(place: PermissionsRequest, entry: dict[str, Any]) -> bool:
    file, copy = str(entry["file"]), _copy(place, int(entry["copy"]))

    def change(text: str | None) -> str | None:
        if text is None:
            return None
        former = read_file(copy)
        if digest_of(text) == entry["applied"] and digest_of(former) == entry["before"]:
            return former
        edits = [table(edit) for edit in rows(entry["edits"])]
        return front_matter.removed(text, edits) if file.endswith(".md") else settings_text.removed(text, edits, file)

    return rewrite(file, change)


def _edited(file: str, text: str, names: Names) -> Edited:
    if file.endswith(".md"):
        return front_matter.added(text, names, file)
    return settings_text.added(text, names, file) if text.strip() else Edited(text)


def _closes(file: str, names: Names) -> bool:
    """True where the file may hold a rule that closes something: a file that cannot be read at all does not."""
    try:
        return _edited(file, read_file(file) or "", names).closing > 0
    except Refusal:
        return False


def _managed_rules(names: Names) -> list[str]:
    texts = settings_text.listed_rules(managed())
    found = [text for text in texts if "mcp__" in text and rules.of_rule(text, names).rules]
    return [f"{text} in {MANAGED}: managed settings are changed by their administrator" for text in found]


def _entries(place: PermissionsRequest) -> tuple[tuple[str, str], ...]:
    """The configured entry's names, then those of the others that lead to the port and keep theirs."""
    others = [entry.entry for entry in other_entries.others(place)[0]] if place.home else []
    pairs = [(place.replaces, place.entry), *((name, name) for name in others)]
    return tuple(dict.fromkeys(pair for pair in pairs if pair[0]))


def _folder(place: Place) -> str:
    return place.within(FOLDER)


def _copy(place: Place, number: int) -> str:
    return os.path.join(_folder(place), f"{number}.before")


def _kept(place: Place) -> dict[str, Any]:
    return json_file.read(os.path.join(_folder(place), RECORD), "put it back from a backup, or remove it") or {}


def _save(place: Place, record: dict[str, Any]) -> None:
    json_file.write(os.path.join(_folder(place), RECORD), record)


def _held(place: Place) -> Any:
    make_folder(place)
    folders.make(_folder(place), 0o700)
    return held(_folder(place), "claude permissions")
