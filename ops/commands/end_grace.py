"""`make end-grace`: the predecessor's token is refused from now on, whatever is left of its grace period.

Owns: the question, which says what an open session loses.
Deliberately does not: restart anything, or change the configuration: the next cutover from ContextForge begins a new
grace period, unless `client.grace_hours` is 0.
"""

from __future__ import annotations

from console.progress import Progress
from console.question import require_yes
from console.result import Result
from ops.engine import grace, sandbox, state
from ops.engine.run import open_stack


def end_grace(stack: str, progress: Progress, *, yes: bool) -> Result:
    """Exit status 0 when the token is refused, also where it was before."""
    opened = open_stack(stack, progress, create=False)
    state.require_deployed(stack, state.outputs_in(state.deployment_of(opened, stack)))
    settings = state.settings_of(opened, stack)
    if not (yes or sandbox.of_stack(stack)):
        require_yes(
            f"End the grace period of stack {stack}? An open session with ContextForge's token needs /mcp then."
        )
    answer = grace.end(stack, settings)
    outcome = f"ended now, instead of {answer['until']}" if answer["ended"] else "was over already"
    return Result({"ok": True, **answer}, f"grace  {outcome}: ContextForge's token is refused", ok=True)
