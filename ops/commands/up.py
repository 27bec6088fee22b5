"""`make up`: the engine's update, and a summary of the stack after it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from console.progress import Progress
from console.question import require_yes
from console.result import Result
from ops.engine import (
    changes,
    claude_entry,
    claude_sessions,
    ownership,
    prerequisites,
    recovery,
    run,
    sandbox,
    state,
    state_copy,
    verification,
)
from ops.engine.claude_sessions import Sessions
from ops.engine.run import open_stack
from ops.engine.verification import AfterRun


def up(stack: str, progress: Progress, *, yes: bool) -> Result:
    """Exit status 0 only when the update succeeded and every backend answers."""
    prerequisites.make_ready(stack, progress)
    opened = open_stack(stack, progress)
    snapshot = state.snapshot_of(opened, stack)
    state.require_same_host(stack, snapshot.deployment, snapshot.settings)
    found = ownership.require_ready_host(stack, snapshot)
    lost = ownership.is_lost(found, snapshot.deployment)
    if lost:
        snapshot = ownership.start_over(opened, stack, snapshot, found, progress, yes=yes)
    first = not lost and state.is_of_no_host(state.resources_in(snapshot.deployment))
    if not (yes or sandbox.of_stack(stack)):
        run.preview(opened, stack, progress)
        require_yes(f"Make these changes to stack {stack}?")
        snapshot = state.snapshot_of(opened, stack)
    began = datetime.now(UTC).replace(microsecond=0)
    with ThreadPoolExecutor() as pool:
        before = pool.submit(claude_sessions.found, stack, snapshot.settings, snapshot.settings.active)
        entry = pool.submit(claude_entry.checked, stack, snapshot.settings)
    for line in [*claude_sessions.lines(before.result()), *claude_entry.lines(entry.result())]:
        progress.line(line)
    with verification.Check(stack) as check, ThreadPoolExecutor() as pool:
        result = recovery.up(opened, stack, snapshot, progress)
        outputs, made = result.outputs, result.changes
        verified = pool.submit(verification.after_run, opened, stack, snapshot.settings, outputs, check, began=began)
        open_now = pool.submit(claude_sessions.found, stack, snapshot.settings)
        claude_entry.kept_at_the_end(stack, snapshot.settings, lambda: state.resources_of(opened, stack), progress)
    after, sessions = verified.result(), open_now.result()
    document = {
        "ok": after.verified.ok,
        "active": outputs.get("active"),
        "downtime_ms": after.handover.get("downtime_ms"),
        "verify": after.verified.document,
        "sessions": sessions,
        "changes": made,
        "outputs": outputs,
    }
    text = [_text(stack, outputs, made, after, sessions)]
    text += ownership.of_a_new_host(snapshot.settings) if lost else []
    text += state_copy.to_keep(stack) if first and not sandbox.of_stack(stack) else []
    return Result(document, "\n".join(text), after.verified.ok)


def _text(
    stack: str, outputs: Mapping[str, Any], made: Mapping[str, int], after: AfterRun, sessions: Sessions | None
) -> str:
    handover = after.handover
    stack_option = "" if sandbox.of_stack(stack) else f" STACK={stack}"
    lines = [changes.with_unchanged(made)]
    if outputs.get("active"):
        lines.append(f"serving    {outputs['active']} owns the port")
    if outputs.get("sentinel"):
        lines.append(f"container  {outputs['sentinel']}")
    if "downtime_ms" in handover:
        lines.append(
            f"handover   {handover.get('from')} -> {handover.get('to')} at {handover.get('at')}, "
            f"downtime {handover['downtime_ms']} ms{_parts(handover)}"
        )
    lines += verification.lines(after.verified)
    lines += claude_sessions.lines(sessions)
    if outputs.get("rollback"):
        lines.append(f"rollback   {outputs['rollback']}")
    lines.append(f"next       make verify{stack_option} · make status{stack_option} · make history{stack_option}")
    return "\n".join(lines)


def _parts(handover: Mapping[str, Any]) -> str:
    """` (release 12, connect 30, answer 21)`, in milliseconds."""
    parts: Mapping[str, int] = handover.get("parts") or {}
    listed = ", ".join(f"{name.removesuffix('_ms')} {ms}" for name, ms in parts.items())
    return f" ({listed})" if listed else ""
