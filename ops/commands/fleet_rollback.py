"""`make fleet-rollback`: ContextForge gets the port back on each host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from console.progress import Progress
from console.question import require_yes
from console.result import Result
from ops.engine import sandbox
from ops.fleet.command import on_all, require_stacks


def fleet_rollback(stacks: Sequence[str], progress: Progress, *, at_once: int, yes: bool) -> Result:
    """`make rollback` on every stack. No canary, and no stop after a failure: no host waits for another one's port."""
    require_stacks("rollback", stacks)
    if not (yes or all(map(sandbox.of_stack, stacks))):
        require_yes(f"Roll back to ContextForge, with today's configuration, on {', '.join(stacks)}?")
    return on_all("rollback", stacks, progress, _detail, at_once=at_once)


def _detail(document: Mapping[str, Any]) -> str:
    return f"{document.get('active')} owns the port"
