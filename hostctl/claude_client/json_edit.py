"""JSON edited as text: one member, and no other byte of the document.

Owns: the position of a member, and inserting or removing one with the document's own indentation.
Deliberately does not: read or write files, or format anything that it does not insert. Positions are offsets into the
text; the grammar is RFC 8259's, and the text must be valid, which `parsed` checks.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, cast

from hostctl.core.errors import Refusal

_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_TOKEN = re.compile(_STRING + r'|[\[\]{}]|[^\s\[\]{},:"]+', re.DOTALL)
_KEY = re.compile(_STRING, re.DOTALL)
_SPACE = re.compile(r"[ \t\r\n]*")
_FIRST_INDENT = re.compile(r"^\s*\{\r?\n([ \t]+)")


@dataclass(frozen=True)
class Member:
    """One `"key": value`: `start` and `value` are where key and value begin, `end` is after the value."""

    key: str
    start: int
    value: int
    end: int


@dataclass(frozen=True)
class Object:
    """A `{…}` and its members in their order; `end` is after the closing brace."""

    start: int
    end: int
    members: tuple[Member, ...]

    def index(self, key: str) -> int | None:
        return next((at for at, member in enumerate(self.members) if member.key == key), None)

    def member(self, key: str) -> Member | None:
        at = self.index(key)
        return None if at is None else self.members[at]


def parsed(text: str, where: str) -> dict[str, Any]:
    """The document, its numbers as text so that none is rounded; raises Refusal with line and column."""
    try:
        document: Any = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except json.JSONDecodeError as error:
        raise Refusal(
            f"{where} is broken JSON at line {error.lineno}, column {error.colno} ({error.msg}): fix it there, "
            "then run again; it was left as it is"
        ) from None
    except RecursionError:
        raise Refusal(
            f"{where} is nested too deeply to be Claude's file: correct client.file; it was left as it is"
        ) from None
    if not isinstance(document, dict):
        raise Refusal(f"{where} does not hold a JSON object: fix it, then run again; it was left as it is")
    return cast("dict[str, Any]", document)


def objects_along(text: str, path: list[str], where: str) -> list[Object]:
    """The root and each object below it that exists along `path`; raises Refusal where a member is not an object."""
    objects = [_object(text, _SPACE.match(text).end(), where)]  # type: ignore[union-attr]
    for key in path:
        member = objects[-1].member(key)
        if member is None:
            break
        if text[member.value] != "{":
            raise Refusal(f"'{key}' in {where} is not a JSON object: fix it, then run again; it was left as it is")
        objects.append(_object(text, member.value, where))
    return objects


def items(text: str, start: int) -> list[tuple[int, int]]:
    """The span of each element of the list whose bracket is at `start`."""
    spans: list[tuple[int, int]] = []
    at = _after_space(text, start + 1)
    while text[at] != "]":
        if text[at] == ",":
            at = _after_space(text, at + 1)
        end = _value_end(text, at)
        spans.append((at, end))
        at = _after_space(text, end)
    return spans


def rendered(text: str, key: str, value: Any, base: str) -> str:
    """`"key": value` in the document's style; `base` is the indentation of the line that it begins on."""
    return f"{json.dumps(key)}: {rendered_value(text, value, base)}"


def rendered_value(text: str, value: Any, base: str) -> str:
    """The value alone, in the document's style."""
    unit = _unit(text)
    if unit is None:
        return json.dumps(value)
    return (_newline(text) + base).join(json.dumps(value, indent=unit).split("\n"))


def indentation(text: str, at: int) -> str:
    """The white space at the beginning of this position's line."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def with_last(text: str, holder: Object, key: str, value: Any, raw: str | None = None) -> str:
    """The text with one more member at the end of `holder`; `raw` is the member's text where that is known."""
    if holder.members:
        last = holder.members[-1]
        before = holder.members[-2].end if len(holder.members) > 1 else holder.start
        gap = text[text.index("," if len(holder.members) > 1 else "{", before) + 1 : last.start]
        member = raw if raw is not None else rendered(text, key, value, indentation(text, last.start))
        return text[: last.end] + "," + gap + member + text[last.end :]
    unit, outer = _unit(text), indentation(text, holder.start)
    if unit is None:
        member = raw if raw is not None else rendered(text, key, value, "")
        return text[: holder.start] + "{" + member + "}" + text[holder.end :]
    line = _newline(text) + outer
    member = raw if raw is not None else rendered(text, key, value, outer + unit)
    return text[: holder.start] + "{" + line + unit + member + line + "}" + text[holder.end :]


def span_with_comma(holder: Object, at: int) -> tuple[int, int]:
    """The span of the member with one comma; it must not be the only member."""
    member = holder.members[at]
    return (holder.members[at - 1].end, member.end) if at else (member.start, holder.members[1].start)


def without(text: str, holder: Object, at: int, empty: str = "{}") -> str:
    """The text without that member; an object that it leaves empty becomes `empty`."""
    if len(holder.members) == 1:
        return text[: holder.start] + empty + text[holder.end :]
    start, end = span_with_comma(holder, at)
    return text[:start] + text[end:]


def _object(text: str, start: int, where: str) -> Object:
    members: list[Member] = []
    at = _after_space(text, start + 1)
    while text[at] != "}":
        if text[at] == ",":
            at = _after_space(text, at + 1)
        key = cast("re.Match[str]", _KEY.match(text, at))
        value = _after_space(text, _after_space(text, key.end()) + 1)
        end = _value_end(text, value)
        members.append(Member(json.loads(key.group()), at, value, end))
        at = _after_space(text, end)
    keys = [member.key for member in members]
    for key in ("mcpServers", "projects"):
        if keys.count(key) > 1:
            raise Refusal(f"'{key}' occurs twice in {where}: remove one, then run again; it was left as it is")
    return Object(start, at + 1, tuple(members))


def _value_end(text: str, start: int) -> int:
    depth = 0
    for token in _TOKEN.finditer(text, start):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token.group(), 0)
        if depth == 0:
            return token.end()
    raise ValueError("the text is not JSON")


def _after_space(text: str, at: int) -> int:
    return cast("re.Match[str]", _SPACE.match(text, at)).end()


def _unit(text: str) -> str | None:
    """One step of the document's indentation; None for a document on one line."""
    match = _FIRST_INDENT.match(text)
    return match.group(1) if match else ("  " if "\n" in text.strip() or text.strip() == "{}" else None)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
