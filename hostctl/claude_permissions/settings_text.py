"""The rules in one of Claude's JSON files, edited as text: each counterpart right behind the rule that it copies.

Owns: the lists that hold rules, deny first, and one element more or less in a list.
Deliberately does not: change or move an element that is there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from hostctl.claude_client.json_edit import items, objects_along, parsed
from hostctl.claude_permissions import rules
from hostctl.claude_permissions.rules import Counterparts, Names
from hostctl.core.documents import rows, table
from hostctl.core.errors import Refusal

CLOSING = ("deny", "ask")
"""The kinds of lists whose rules close something: a rule that no longer matches would open it."""


@dataclass
class Edited:
    """The text with its counterparts. `edits` are {"path", "value"}: the list, and the element that was added to it."""

    text: str
    edits: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    unmapped: list[str] = field(default_factory=list[str])
    closing: int = 0


def added(text: str, names: Names, where: str) -> Edited:
    """The file with every counterpart that it lacks; raises Refusal for broken JSON."""
    edited = Edited(text)
    for kind, path, of in _lists(parsed(text, where)):
        try:
            before = len(edited.edits)
            _extend(edited, path, of, names, where)
            edited.closing += len(edited.edits) - before if kind in CLOSING else 0
        except Refusal as refusal:
            edited.unmapped.append(str(refusal))
    return edited


def removed(text: str, edits: list[dict[str, Any]], where: str) -> str:
    """The file without the elements that were added and are still there, the last one first."""
    parsed(text, where)
    for edit in reversed(edits):
        array = _array(text, [str(key) for key in edit["path"]], where)
        if array is None:
            continue
        spans = items(text, array)
        at = next((n for n, (start, end) in enumerate(spans) if json.loads(text[start:end]) == edit["value"]), None)
        if at is not None:
            text = _without(text, spans, at)
    return text


def _lists(document: dict[str, Any]) -> list[tuple[str, list[str], Callable[[Any, Names], Counterparts]]]:
    """Every list that may hold rules: its kind, its path, and how an element's counterparts are found."""
    permissions: list[tuple[str, list[str], Callable[[Any, Names], Counterparts]]] = [
        *((kind, ["permissions", kind], _of_rule) for kind in CLOSING),
        ("allow", ["permissions", "allow"], _of_allowed),
    ]
    own = [
        ("deny", "disabledMcpServers", _of_entry),
        ("deny", "disabledMcpjsonServers", _of_entry),
        ("allow", "enabledMcpjsonServers", _of_entry),
        ("deny", "disallowedTools", _of_rule),
        ("allow", "allowedTools", _of_allowed),
    ]
    projects = [["projects", str(project)] for project in table(document.get("projects"))]
    listed = [(kind, [*path, key], of) for path in ([], *projects) for kind, key, of in own]
    hooks = [("deny", ["hooks", str(event)], _of_hook) for event in table(document.get("hooks"))]
    found = [*permissions, *hooks, *listed]
    return sorted(found, key=lambda one: one[0] not in CLOSING)


def _of_rule(element: Any, names: Names) -> Counterparts:
    return rules.of_rule(element, names) if isinstance(element, str) else Counterparts()


def _of_allowed(element: Any, names: Names) -> Counterparts:
    return rules.of_rule(element, names, closing=False) if isinstance(element, str) else Counterparts()


def _of_entry(element: Any, names: Names) -> Counterparts:
    return rules.of_entry(element, names) if isinstance(element, str) else Counterparts()


def _of_hook(element: Any, names: Names) -> Counterparts:
    matcher = table(element).get("matcher")
    if not isinstance(matcher, str):
        return Counterparts()
    try:
        return rules.of_matcher(matcher, names)
    except (re.error, RecursionError):
        return Counterparts(unmapped=(matcher,))


def _extend(
    edited: Edited, path: list[str], of: Callable[[Any, Names], Counterparts], names: Names, where: str
) -> None:
    array = _array(edited.text, path, where)
    if array is None:
        return
    # From the last element to the first: what stands before a new element keeps its place.
    spans = items(edited.text, array)
    elements = [json.loads(edited.text[start:end]) for start, end in spans]
    fresh: list[dict[str, Any]] = []
    unmapped: list[str] = []
    for at in range(len(spans) - 1, -1, -1):
        counterparts = of(elements[at], names)
        unmapped += counterparts.unmapped
        for counterpart in reversed(counterparts.rules):
            raw = _copied(edited.text[slice(*spans[at])], elements[at], counterpart)
            value = json.loads(raw)
            if value in elements or any(edit["value"] == value for edit in fresh):
                continue
            edited.text = _with_next(edited.text, array, spans, at, raw)
            fresh.append({"path": path, "value": value})
    edited.edits += reversed(fresh)
    edited.unmapped += [f"{name} in {'.'.join(path)} of {where}" for name in reversed(unmapped)]


def _copied(raw: str, element: Any, counterpart: str) -> str:
    """The element's text with the counterpart in it: the whole of a rule, the matcher of a hook."""
    if isinstance(element, str):
        return json.dumps(counterpart, ensure_ascii=False)
    member = objects_along(raw, [], "a hook")[0].member("matcher")
    assert member is not None
    return raw[: member.value] + json.dumps(counterpart, ensure_ascii=False) + raw[member.end :]


def _array(text: str, path: list[str], where: str) -> int | None:
    """The position of the list's bracket, None where there is no list; raises Refusal where a name occurs twice."""
    along = objects_along(text, path[:-1], where)
    if len(along) < len(path):
        return None
    for holder, key in zip(along, path):
        if [member.key for member in holder.members].count(key) > 1:
            raise Refusal(f"'{key}' occurs twice in {where}: remove one")
    member = along[-1].member(path[-1])
    return member.value if member is not None and text[member.value] == "[" else None


def _with_next(text: str, array: int, spans: list[tuple[int, int]], at: int, raw: str) -> str:
    """The text with one more element behind that one, in the list's own style."""
    start, end = spans[at]
    if at:
        gap = text[spans[at - 1][1] : start]
    elif len(spans) > 1:
        gap = text[end : spans[1][0]]
    else:
        space = text[array + 1 : start]
        gap = "," + (space if "\n" in space else " ")
    return text[:end] + gap + raw + text[end:]


def _without(text: str, spans: list[tuple[int, int]], at: int) -> str:
    start, end = spans[at]
    if at:
        return text[: spans[at - 1][1]] + text[end:]
    return text[:start] + text[spans[1][0] if len(spans) > 1 else end :]


def listed_rules(document: Any) -> list[str]:
    """Every text in a document that could be a rule, wherever it is."""
    if isinstance(document, str):
        return [document]
    if isinstance(document, dict):
        return [text for value in table(cast(Any, document)).values() for text in listed_rules(value)]
    return [text for value in rows(document) for text in listed_rules(value)]
