"""A rule's counterparts: what it says of the predecessor's tools, said of the same tools under the new entry.

A rule is `Tool` or `Tool(content)`, where Tool is `mcp__ENTRY`, `mcp__ENTRY__TOOL`, or has `*` in it. A hook's matcher
is a list of names or a regular expression.
Deliberately does not: widen a rule. One that names some tools gets those names; only one that names a whole entry gets
the whole new one.
Source: Claude Code 2.1.331 (a `*` in an entry's name counts in closing rules only; a matcher of letters, digits, `_`
and `|` alone is a list of whole names, any other is searched for in the name; an entry's name has `_` for what is no
letter, digit, `_` or `-`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_ANY = "a-tool-of-no-gateway-7d2f"
"""A tool's name that no rule means in particular: what matches it means every tool."""


@dataclass(frozen=True)
class Names:
    """`entries` are pairs of a former entry's name and the new one's; `tools` has the new name of each former tool."""

    entries: tuple[tuple[str, str], ...]
    tools: Mapping[str, str]


@dataclass(frozen=True)
class Counterparts:
    """`rules` to add, and the `unmapped` tools that the rule names and the new gateway does not have."""

    rules: tuple[str, ...] = ()
    unmapped: tuple[str, ...] = ()


def of_rule(rule: str, names: Names, closing: bool = True) -> Counterparts:
    """The counterparts of a permission rule, or of a tool in a list of tools; not `closing` for one that allows."""
    name, parenthesis, content = rule.partition("(")
    tail = parenthesis + content
    found, unmapped = list[str](), list[str]()
    for former, new in names.entries:
        if "*" in name and not (closing or name.startswith(prefix(former))):
            continue
        for counterpart in _of_name(name, prefix(former), prefix(new), names.tools, unmapped):
            found.append(counterpart + tail)
    return Counterparts(tuple(one for one in dict.fromkeys(found) if one != rule), tuple(dict.fromkeys(unmapped)))


def of_matcher(matcher: str, names: Names) -> Counterparts:
    """The counterpart of a hook's matcher; raises re.error for one that is no regular expression."""
    matches = _searched(matcher)
    found, unmapped = list[str](), list[str]()
    for former, new in names.entries:
        ours, theirs = prefix(new), prefix(former)
        if matches(theirs + _ANY):
            found += [] if matches(ours + _ANY) else [f"^{re.escape(ours)}"]
            continue
        meant = [names.tools[tool] for tool in names.tools if matches(theirs + tool)]
        lacking = [tool for tool in sorted({*meant}) if not matches(ours + tool)]
        if lacking:
            found.append(f"^{re.escape(ours)}({'|'.join(map(re.escape, lacking))})$")
        elif theirs in matcher and not meant:
            unmapped.append(matcher)
    return Counterparts(tuple(found), tuple(unmapped))


def of_entry(name: str, names: Names) -> Counterparts:
    """The counterpart of an entry's bare name, in a list of entries that are switched on or off."""
    return Counterparts(tuple(new for former, new in names.entries if former == name != new))


def prefix(entry: str) -> str:
    """The beginning of every tool's name of an entry."""
    return f"mcp__{re.sub('[^A-Za-z0-9_-]', '_', entry)}__"


def _of_name(name: str, theirs: str, ours: str, tools: Mapping[str, str], unmapped: list[str]) -> list[str]:
    if name in (theirs[:-2], f"{theirs}*"):
        return [ours + name[len(theirs) :] if name.endswith("*") else ours[:-2]]
    if "*" not in name:
        if not name.startswith(theirs):
            return []
        tool = name[len(theirs) :]
        if tool not in tools:
            unmapped += [] if tool in tools.values() else [name]
            return []
        return [ours + tools[tool]]
    matches = _matched(name)
    if matches(theirs + _ANY):
        return [] if matches(ours + _ANY) else [f"{ours}*"]
    meant = [ours + tools[tool] for tool in tools if matches(theirs + tool)]
    if not meant and name.startswith(theirs):
        unmapped.append(name)
    return [tool for tool in sorted(meant) if not matches(tool)]


def _matched(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
    return lambda name: compiled.fullmatch(name) is not None


def _searched(matcher: str) -> Callable[[str], bool]:
    if matcher in ("", "*"):
        return lambda _: True
    if re.fullmatch(r"[A-Za-z0-9_|]+", matcher):
        listed = matcher.split("|")
        return lambda name: name in listed
    compiled = re.compile(matcher)
    return lambda name: compiled.search(name) is not None
