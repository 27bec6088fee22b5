"""`make secrets`: every secret that is missing; those that only the operator can know are listed."""

from __future__ import annotations

from console.progress import Progress
from console.result import Result
from ops.engine import environment, prerequisites
from ops.engine.run import open_stack
from ops.engine.stack_secrets import make_secrets, runner


def secrets(stack: str, progress: Progress) -> Result:
    """Exit status 0 only when no secret is in plain text."""
    prerequisites.toolchain_only(progress)
    open_stack(stack, progress)
    report = make_secrets(stack, runner(stack, environment.complete(stack)))
    document = report.document()
    return Result(document, report.text(stack), ok=bool(document["ok"]))
