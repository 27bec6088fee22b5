"""rest: a frozen predecessor becomes a stopped one, when the operator trusts the new gateway.

Owns: asking, and saying what the way back costs from then on.
Deliberately does not: change the state or the configuration; the program says who owns the port, not how the one
without it waits. The way back finds the predecessor as it is, frozen or stopped.
"""

from __future__ import annotations

from ops import asking, host, surroundings
from ops.deploying import ask
from ops.engine import open_stack
from ops.errors import UserError
from ops.progress import Progress
from ops.result import Result


def rest(stack: str, progress: Progress, *, yes: bool) -> Result:
    opened = open_stack(stack, progress, create=False)
    deployment = host.deployment_of(opened, stack)
    active = host.outputs_in(deployment).get("active")
    if active != "sentinel":
        raise UserError(
            f"Stack {stack} has {active or 'nothing'} on the port, so its predecessor cannot rest: "
            f"cut over first (`make up STACK={stack}`)."
        )
    settings = asking.settings_of(opened, stack)
    if not (yes or surroundings.of_stack(stack)):
        ask(f"Stop the predecessor of stack {stack}: the way back then takes its own start?")
    answer = host.hand_over(stack, settings, "rest", host.handover_document(host.resources_in(deployment), settings))
    document = {
        "ok": answer["predecessor"] in ("stopped", "absent"),
        "changed": answer["changed"],
        "reason": answer["reason"],
        "predecessor": answer["predecessor"],
    }
    told = answer["reason"] or "stopped now; it keeps its data, and the way back takes its own start"
    return Result(document, f"predecessor  {told}", ok=document["ok"])
