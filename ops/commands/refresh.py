"""`make refresh`: brings the stack's state in line with its host."""

from __future__ import annotations

from console.progress import Progress
from console.question import require_yes
from console.result import Result
from ops.engine import changes, environment, prerequisites, recovery, sandbox
from ops.engine.run import color, open_stack


def refresh(stack: str, progress: Progress, *, yes: bool) -> Result:
    """Refresh the state after a yes; the host stays as it is."""
    environment.require_state(stack)
    prerequisites.make_ready(stack, progress)
    opened = open_stack(stack, progress, create=False)
    if not (yes or sandbox.of_stack(stack)):
        require_yes(f"Bring the state of stack {stack} in line with its host?")
    result = recovery.alone(
        opened,
        f"pulumi refresh of stack {stack}",
        progress,
        lambda: opened.refresh(on_output=progress.line, color=color(), suppress_progress=True, show_secrets=False),
    )
    changed = changes.counts(result.summary.resource_changes)
    return Result({"ok": True, "changes": changed}, changes.with_unchanged(changed))
