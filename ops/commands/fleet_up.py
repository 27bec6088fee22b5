"""`make fleet-up`: `make up` on several stacks, the first one alone as the canary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from console.errors import UserError
from console.progress import Progress
from console.question import require_yes
from console.result import Result
from ops.commands.fleet_preview import fleet_preview
from ops.engine import changes, sandbox
from ops.fleet.command import on_all


def fleet_up(stacks: Sequence[str], progress: Progress, *, at_once: int, yes: bool) -> Result:
    """The canary first, then the rest, stopped by the first failure: those at work end, no further one starts.

    Unless `yes`, every preview comes before the question. Raises UserError, nothing changed, where one fails.
    """
    if not (yes or (stacks and all(map(sandbox.of_stack, stacks)))):
        previews = fleet_preview(stacks, progress, at_once=at_once)
        if previews.interrupted:
            return previews
        progress.line(previews.text)
        if not previews.ok:
            raise UserError("Nothing was changed, since not every preview succeeded: fix what its table names.")
        require_yes(f"Make these changes, on {stacks[0]} first?")
    return on_all("up", stacks, progress, _detail, at_once=at_once, canary=True)


def _detail(document: Mapping[str, Any]) -> str:
    active, made = document.get("active"), document.get("changes", {})
    unhealthy = "" if document["ok"] else "; not every backend answers, see `make verify`"
    return f"{active} owns the port; {changes.summary(made)}{unhealthy}"
