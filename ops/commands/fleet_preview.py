"""`make fleet-preview`: the changes that `make fleet-up` would make on each host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from console.progress import Progress
from console.result import Result
from ops.engine import changes
from ops.fleet.command import on_all


def fleet_preview(stacks: Sequence[str], progress: Progress, *, at_once: int) -> Result:
    """Exit status 0 only when every preview succeeded."""
    return on_all("preview", stacks, progress, _detail, at_once=at_once)


def _detail(document: Mapping[str, Any]) -> str:
    return changes.with_unchanged(document.get("changes", {}))
