"""rest: a paused predecessor becomes a stopped one, when the operator trusts the new gateway.

Owns: asking, and saying what the rollback costs from then on.
Deliberately does not: change the state or the configuration; the program says who owns the port, not how the one
without it waits. The rollback finds the predecessor as it is, paused or stopped.
"""

from __future__ import annotations

from console.errors import UserError
from console.progress import Progress
from console.result import Result
from ops.commands import verify
from ops.commands.deploy import ask
from ops.engine import host, sandbox
from ops.engine.run import open_stack


def stop_predecessor(stack: str, progress: Progress, *, yes: bool) -> Result:
    opened = open_stack(stack, progress, create=False)
    deployment = host.deployment_of(opened, stack)
    active = host.outputs_in(deployment).get("active")
    if active != "sentinel":
        raise UserError(
            f"Stack {stack} has {active or 'nothing'} on the port, so its predecessor cannot rest: "
            f"cut over first (`make up STACK={stack}`)."
        )
    settings = verify.settings_of(opened, stack)
    if not (yes or sandbox.of_stack(stack)):
        ask(f"Stop the predecessor of stack {stack}: the rollback then takes its own start?")
    answer = host.hand_over(
        stack, settings, "stop-predecessor", host.handover_document(host.resources_in(deployment), settings)
    )
    document = {
        "ok": answer["predecessor"] in ("stopped", "absent"),
        "changed": answer["changed"],
        "reason": answer["reason"],
        "predecessor": answer["predecessor"],
    }
    told = answer["reason"] or "stopped now; it keeps its data, and the rollback takes its own start"
    return Result(document, f"predecessor  {told}", ok=document["ok"])
