"""`make stop-predecessor`: stop the predecessor in standby, once the operator trusts the new gateway.

Owns: the question, which says what a rollback costs from then on.
Deliberately does not: change the state or the configuration; the program says who owns the port, not how the one
without it waits. A rollback works from a predecessor in standby and from a stopped one.
"""

from __future__ import annotations

from console.errors import UserError
from console.progress import Progress
from console.question import require_yes
from console.result import Result
from ops.engine import host, sandbox, state
from ops.engine.run import open_stack


def stop_predecessor(stack: str, progress: Progress, *, yes: bool) -> Result:
    """Exit status 0 only when the predecessor is stopped, or absent."""
    opened = open_stack(stack, progress, create=False)
    deployment = state.deployment_of(opened, stack)
    active = state.outputs_in(deployment).get("active")
    if active != "sentinel":
        raise UserError(
            f"Stack {stack} has {active or 'nothing'} on the port, so its predecessor cannot be stopped: "
            f"cut over first (`make up STACK={stack}`)."
        )
    settings = state.settings_of(opened, stack)
    if not (yes or sandbox.of_stack(stack)):
        require_yes(f"Stop the predecessor of stack {stack}? A rollback then starts it before the port moves.")
    answer = host.hand_over(
        stack, settings, "stop-predecessor", state.handover_request(state.resources_in(deployment), settings)
    )
    document = {
        "ok": answer["predecessor"] in ("stopped", "absent"),
        "changed": answer["changed"],
        "reason": answer["reason"],
        "predecessor": answer["predecessor"],
    }
    outcome = answer["reason"] or "stopped now; it keeps its data, and a rollback starts it before the port moves"
    return Result(document, f"predecessor  {outcome}", ok=document["ok"])
