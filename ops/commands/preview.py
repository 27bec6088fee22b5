"""`make preview`: the changes that `make up` would make."""

from __future__ import annotations

from console.progress import Progress
from console.result import Result
from ops.engine import changes, ownership, prerequisites, run, state
from ops.engine.run import open_stack


def preview(stack: str, progress: Progress) -> Result:
    """Raises UserError where the settings are refused or the host is not ready; changes nothing."""
    prerequisites.make_ready(stack, progress)
    opened = open_stack(stack, progress)
    snapshot = state.snapshot_of(opened, stack)
    state.require_same_host(stack, snapshot.deployment, snapshot.settings)
    found = ownership.require_ready_host(stack, snapshot)
    if ownership.is_lost(found, snapshot.deployment):
        progress.line(
            f"The host of stack {stack} has nothing of the stack: `make up STACK={stack}` creates everything there, "
            "and the preview below, which compares with the former host, does not show it."
        )
    changed = run.preview(opened, stack, progress)
    return Result({"ok": True, "changes": changed}, changes.with_unchanged(changed))
