"""`make history`: every update of the stack, its configuration, and the differences from the one before."""

from __future__ import annotations

from console.progress import Progress
from console.result import Result
from ops.engine.history import rows_of, table, updates_of
from ops.engine.run import open_stack


def history(stack: str, progress: Progress) -> Result:
    """Every update of the stack, newest first."""
    rows = rows_of(updates_of(open_stack(stack, progress, create=False), stack))
    return Result(rows, "\n".join(table(rows)) or f"Stack {stack} has no history yet.")
