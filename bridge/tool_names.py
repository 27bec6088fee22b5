"""The predecessor's names of the tools: for each, the gateway's own name of the same tool.

ContextForge offers the tool `list_tables` of the backend `sqlite` as `sqlite-list-tables`. Which names it offered is
known; so a name is matched, not made: it is that of a backend's tool where both are written alike but for separators
and case.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from .messages import Message

_SEPARATORS = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class ToolNames:
    """`own`: the gateway's name of the tool, by the predecessor's. `shared`: the tools that one name could mean, which
    is then offered for none of them."""

    own: Mapping[str, str]
    shared: Mapping[str, Sequence[str]]

    def offered(self, tools: Sequence[Message]) -> list[Message]:
        """The tools under the predecessor's names; one that it did not have keeps its own."""
        theirs = {own: name for name, own in self.own.items()}
        named = [{**tool, "name": theirs.get(str(tool.get("name")), tool.get("name"))} for tool in tools]
        return sorted((tool for tool in named if tool["name"] not in self.shared), key=lambda tool: str(tool["name"]))


class LastMatch:
    """`matched`, made again only where the names or the tools have changed: every call needs it."""

    def __init__(self) -> None:
        self._of: tuple[frozenset[str], Mapping[str, Sequence[str]]] = frozenset(), {}
        self._found = ToolNames({}, {})

    def matched(self, names: Collection[str], tools: Mapping[str, Collection[str]]) -> ToolNames:
        of = frozenset(names), {backend: tuple(offered) for backend, offered in tools.items()}
        if of != self._of:
            self._of, self._found = of, matched(*of)
        return self._found


def matched(names: Collection[str], tools: Mapping[str, Collection[str]]) -> ToolNames:
    """`names` are the predecessor's, `tools` the own names of each backend's tools."""
    alike: dict[str, list[str]] = {}
    for backend, offered in tools.items():
        for tool in offered:
            alike.setdefault(_spelling(f"{backend}-{tool}"), []).append(tool)
    spellings = [_spelling(name) for name in names]
    everyone = {tool for offered in tools.values() for tool in offered}
    own: dict[str, str] = {}
    shared: dict[str, Sequence[str]] = {}
    for name in sorted(names):
        meant = alike.get(_spelling(name), [])
        others = [name] if name in everyone and name not in meant else []
        if len(meant) > 1 or (meant and (others or spellings.count(_spelling(name)) > 1)):
            shared[name] = sorted({*meant, *others})
        elif meant:
            own[name] = meant[0]
    return ToolNames(own, shared)


def _spelling(name: str) -> str:
    return _SEPARATORS.sub("-", name.lower()).strip("-")
