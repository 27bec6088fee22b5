"""One finding of the inspection of a host."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["ok", "note", "problem", "not checked"]


@dataclass(frozen=True)
class Finding:
    """`problem` stops a run before it touches anything, and then `fix` says what to do; a `note` stops nothing."""

    part: str
    verdict: Verdict
    found: str
    fix: str = ""

    def document(self) -> dict[str, Any]:
        return asdict(self)
