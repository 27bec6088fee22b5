"""What became of one call.

Owns: the six result words. Deliberately does not: import what makes the calls, which takes most of a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Result = Literal["ok", "auth", "unreachable", "tool-error", "missing", "differs"]


@dataclass(frozen=True)
class Outcome:
    """One backend's result; `tool` is the name as offered, `detail` says more where it is not ok."""

    name: str
    tool: str
    result: Result
    ms: int
    detail: str = ""
    kind: str = ""
    """What the answer holds, such as `text` or `image+text`; `error` for a tool's own error, empty without one."""
