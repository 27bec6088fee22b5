"""The tools in the front matter of an agent, a command or a skill, edited as text.

Owns: lists on the key's own line, and lists of one tool a line. Deliberately does not: read any other YAML.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from hostctl.claude_permissions import rules
from hostctl.claude_permissions.rules import Names
from hostctl.claude_permissions.settings_text import Edited

_HEAD = re.compile(r"\A---[ \t]*\r?\n.*?^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_KEY = re.compile(r"([A-Za-z_-]+)[ \t]*:(.*)", re.DOTALL)
_CLOSING = ("disallowedTools", "disallowed-tools")
_KEYS = (*_CLOSING, "tools", "allowed-tools", "allowedTools")
_TOOL = re.compile(r"""(?P<quote>["']?)(?P<tool>mcp__[^\s,"'\[\]()]+(?:\([^)\n]*\))?)(?P=quote)""")
_ITEM = re.compile(r"[ \t]*-[ \t]+")


def added(text: str, names: Names, where: str) -> Edited:
    """The file with every counterpart that its lists lack; `edits` are {"after", "text"}."""
    edited = Edited(text)
    head = _HEAD.match(text)
    lines = head.group().splitlines(keepends=True) if head else []
    key, out = "", list[str]()
    present = {match["tool"] for line in lines for match in _TOOL.finditer(line)}
    for line in lines:
        named = _KEY.match(line)
        if named:
            key = named[1]
        if key in _KEYS and (named or _ITEM.match(line)):
            line = _extended(line, bool(named), key, names, present, edited, where)
        out.append(line)
    edited.text = "".join(out) + text[len("".join(lines)) :]
    return edited


def removed(text: str, edits: Sequence[dict[str, Any]]) -> str:
    """The file without what was added and is still there."""
    head = _HEAD.match(text)
    start = head.group() if head else ""
    for edit in reversed(edits):
        start = start.replace(edit["after"] + edit["text"], edit["after"], 1)
    return start + text[len(head.group() if head else "") :]


def _extended(line: str, inline: bool, key: str, names: Names, present: set[str], edited: Edited, where: str) -> str:
    for match in reversed(list(_TOOL.finditer(line))):
        counterparts = rules.of_rule(match["tool"], names, closing=key in _CLOSING)
        edited.unmapped += [f"{name} in {key} of {where}" for name in counterparts.unmapped]
        fresh = [rule for rule in counterparts.rules if rule not in present]
        present.update(fresh)
        if not fresh:
            continue
        quoted = [match["quote"] + rule + match["quote"] for rule in fresh]
        end = len(line.rstrip("\r\n")) if not inline else match.end()
        begin = line[: match.start()] if not inline else ""
        new = "".join(f"{line[end:] if not inline else _separator(line)}{begin}{one}" for one in quoted)
        after = line[:end] if not inline else match.group()
        edited.edits.append({"after": after, "text": new})
        edited.closing += len(fresh) if key in _CLOSING else 0
        line = line[:end] + new + line[end:]
    return line


def _separator(line: str) -> str:
    """Commas, but for a list that is written with spaces alone."""
    return " " if "," not in line and len(line.split()) > 2 and "[" not in line else ", "
