"""`make preview`: the changes that `make up` would make."""

from __future__ import annotations

from console.progress import Progress
from console.result import Result
from ops.engine import changes, prerequisites, run, state
from ops.engine.run import open_stack


def preview(stack: str, progress: Progress) -> Result:
    """Raises UserError where the settings are refused; changes nothing."""
    prerequisites.make_ready(stack, progress)
    opened = open_stack(stack, progress)
    snapshot = state.snapshot_of(opened, stack)
    state.require_same_host(stack, snapshot.deployment, snapshot.settings)
    changed = run.preview(opened, stack, progress)
    return Result({"ok": True, "changes": changed}, changes.all_in_words(changed))
