"""The outcomes as the design's document, as a table, and as an exit code."""

from __future__ import annotations

from collections.abc import Sequence

from .client import Outcome, Result
from .names import Active

EXIT_CODES: dict[Result, int] = {"ok": 0, "auth": 3, "unreachable": 4, "missing": 5, "tool-error": 6, "differs": 7}
"""1 is the user's error and 2 argparse's. Of several results the first in this order decides."""


def document(active: Active, outcomes: Sequence[Outcome]) -> dict[str, object]:
    return {
        "ok": exit_code(outcomes) == 0,
        "active": active,
        "backends": [{"name": item.name, "tool": item.tool, "result": item.result, "ms": item.ms} for item in outcomes],
    }


def table(outcomes: Sequence[Outcome]) -> str:
    rows = [
        ("backend", "tool", "result", "ms", ""),
        *((i.name, i.tool, i.result, str(i.ms), i.detail) for i in outcomes),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = (
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]) for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def exit_code(outcomes: Sequence[Outcome]) -> int:
    codes = {EXIT_CODES[outcome.result] for outcome in outcomes}
    return min(codes - {0}, default=0)
