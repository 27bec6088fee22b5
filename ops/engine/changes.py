"""Counts of the engine's steps, as a document and in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def counts(changes: Mapping[Any, int] | None) -> dict[str, int]:
    """The engine's own counts by kind of step, the kinds as plain text."""
    return {str(getattr(kind, "value", kind)): count for kind, count in (changes or {}).items()}


def summary(changes: Mapping[str, int]) -> str:
    """`create 2, update 1`; unchanged resources are left out."""
    counted = [f"{kind} {count}" for kind, count in sorted(changes.items()) if kind != "same" and count]
    return ", ".join(counted) or "no changes"


def with_unchanged(changes: Mapping[str, int]) -> str:
    """`create 2, update 1; unchanged 40`."""
    unchanged = changes.get("same", 0)
    if not any(count for kind, count in changes.items() if kind != "same"):
        return f"No changes; {unchanged} resources are as the program says."
    return f"{summary(changes)}; unchanged {unchanged}"
