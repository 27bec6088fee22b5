"""Rows as columns of text, as wide as their longest cell."""

from __future__ import annotations

from collections.abc import Sequence


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """One line for each row; the last column is as long as it is."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]) - 1)]
    return ["  ".join([*(row[at].ljust(width) for at, width in enumerate(widths)), row[-1]]).rstrip() for row in rows]
