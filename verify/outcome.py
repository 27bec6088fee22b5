"""The outcome of one call, apart from the MCP client, whose import takes most of a second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Result = Literal["ok", "auth", "unreachable", "tool-error", "missing", "differs"]


@dataclass(frozen=True)
class Outcome:
    """One backend's result; `tool` is the name as offered, `detail` explains a result other than ok."""

    name: str
    tool: str
    result: Result
    ms: int
    detail: str = ""
    kind: str = ""
    """The answer's content, such as `text` or `image+text`; `error` for a tool's own error, empty without an answer."""
