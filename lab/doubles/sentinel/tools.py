"""A backend's tools as the real gateway reads them from the answer to `tools/list`.

Owns: which members of a tool and of its annotations stay; one tool that is none makes the whole list none.
"""

from __future__ import annotations

from typing import Any, cast

from .problems import HandshakeFailed
from .protocol import Message, kind, strict

_MEMBERS = {
    "name": str,
    "title": str,
    "description": str,
    "inputSchema": dict,
    "outputSchema": dict,
    "annotations": dict,
    "icons": list,
    "_meta": dict,
}
_ANNOTATIONS = ("title", "readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
_NAMES = {str: "a string", dict: "a map", list: "a sequence"}
STUBS = {
    "stub-n8n": {"list_workflows": "List n8n workflows", "execute_workflow": "Execute an n8n workflow"},
    "stub-sqlite": {"read_query": "Execute a read-only SQL query", "write_query": "Execute a write SQL query"},
}
"""The tools that the real gateway serves when it has found no backend at all."""


def read(text: str, missing: str = "no tools in tools/list response") -> list[Message]:
    """The tools of an answer's text; raises HandshakeFailed, with `missing` where there are none."""
    try:
        answer = strict(text)
    except ValueError as error:
        raise HandshakeFailed(str(error)) from error
    result = cast("Message", answer).get("result") if isinstance(answer, dict) else None
    found = cast("Message", result).get("tools") if isinstance(result, dict) else None
    if found is None:
        raise HandshakeFailed(missing)
    if not isinstance(found, list):
        raise HandshakeFailed(f"invalid type: {kind(found)}, expected a sequence")
    return [_tool(item) for item in cast("list[Any]", found)]


def stub(name: str, description: str) -> Message:
    return {"name": name, "description": description, "inputSchema": {"type": "object", "properties": {}}}


def _tool(item: Any) -> Message:
    if not isinstance(item, dict):
        raise HandshakeFailed(f"invalid type: {kind(item)}, expected struct Tool")
    given = cast("Message", item)
    for name in ("name", "inputSchema"):
        if name not in given:
            raise HandshakeFailed(f"missing field `{name}`")
    tool = {name: given[name] for name in _MEMBERS if given.get(name) is not None or name in ("name", "inputSchema")}
    for name, value in tool.items():
        if not isinstance(value, _MEMBERS[name]):
            raise HandshakeFailed(f"invalid type: {kind(value)}, expected {_NAMES[_MEMBERS[name]]}")
    if "annotations" in tool:
        known = cast("Message", tool["annotations"])
        tool["annotations"] = {name: known[name] for name in _ANNOTATIONS if known.get(name) is not None}

    return tool
