"""`make env`: the engine's variables as shell lines, so that plain `pulumi` works in a shell."""

from __future__ import annotations

from console.progress import Progress
from console.result import Result
from ops.engine import environment
from toolchain import find


def env(stack: str, progress: Progress) -> Result:
    """The stack's variables; the engine itself need not be there yet."""
    chosen = environment.variables(stack)
    if find.missing(find.programs()):
        progress.line("Pulumi's engine is not installed yet: run `make up`, which provides it, then run this again.")
    return Result(chosen, "\n".join(environment.exports(chosen)))
