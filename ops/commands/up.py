"""`make up`: the engine's update, and a summary of the stack after it.

Owns: the question before an existing host changes, the document and the text.
Deliberately does not: run the engine; `ops.engine.recovery` does, and repairs what a killed run left.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from console.progress import Progress
from console.question import require_yes
from console.result import Result
from ops.engine import changes, prerequisites, recovery, run, sandbox, state, verification
from ops.engine.run import open_stack, plain_outputs
from ops.engine.verification import AfterRun


def up(stack: str, progress: Progress, *, yes: bool) -> Result:
    """Exit status 0 only when the update succeeded and every backend answers."""
    prerequisites.make_ready(stack, progress)
    opened = open_stack(stack, progress)
    snapshot = state.snapshot_of(opened, stack)
    state.require_same_host(stack, snapshot.deployment, snapshot.settings)
    if not (yes or sandbox.of_stack(stack)):
        run.preview(opened, stack, progress)
        require_yes(f"Make these changes to stack {stack}?")
        snapshot = state.snapshot_of(opened, stack)
    began = datetime.now(UTC).replace(microsecond=0)
    result = recovery.up(opened, stack, snapshot, progress)
    outputs = plain_outputs(result.outputs)
    made = changes.counts(result.summary.resource_changes)
    after = verification.after_run(opened, stack, snapshot.settings, outputs, began=began)
    document = {
        "ok": after.verified.ok,
        "active": outputs.get("active"),
        "downtime_ms": after.handover.get("downtime_ms"),
        "verify": after.verified.document,
        "changes": made,
        "outputs": outputs,
    }
    return Result(document, _text(stack, outputs, made, after), after.verified.ok)


def _text(stack: str, outputs: dict[str, Any], made: dict[str, int], after: AfterRun) -> str:
    handover = after.handover
    stack_option = "" if sandbox.of_stack(stack) else f" STACK={stack}"
    lines = [changes.all_in_words(made)]
    if outputs.get("active"):
        lines.append(f"serving    {outputs['active']} owns the port")
    if outputs.get("sentinel"):
        lines.append(f"container  {outputs['sentinel']}")
    if "downtime_ms" in handover:
        lines.append(
            f"handover   {handover.get('from')} -> {handover.get('to')} at {handover.get('at')}, "
            f"downtime {handover['downtime_ms']} ms{_parts_in_words(handover)}"
        )
    lines += verification.lines(after.verified)
    if outputs.get("rollback"):
        lines.append(f"rollback   {outputs['rollback']}")
    lines.append(f"next       make verify{stack_option} · make status{stack_option} · make history{stack_option}")
    return "\n".join(lines)


def _parts_in_words(handover: Mapping[str, Any]) -> str:
    """` (release 12, connect 30, answer 21)`, in milliseconds."""
    parts: Mapping[str, int] = handover.get("parts") or {}
    listed = ", ".join(f"{name.removesuffix('_ms')} {ms}" for name, ms in parts.items())
    return f" ({listed})" if listed else ""
