"""`make down`: takes the stack down; a sandbox goes with its state, any other stack keeps its history and its data."""

from __future__ import annotations

from pulumi import automation

from console.progress import Progress
from console.question import require_yes
from console.result import Result
from ops.engine import environment, host_repair, ownership, prerequisites, recovery, sandbox, state
from ops.engine.run import as_user_error, color, open_stack
from settings import Settings


def down(stack: str, progress: Progress, *, yes: bool) -> Result:
    """Take the stack down after a preview and a yes."""
    stack_sandbox = sandbox.of_stack(stack)
    if stack_sandbox:
        with prerequisites.alone(stack, progress):
            stack_sandbox.remove(progress)
        return Result({"ok": True, "stack": stack}, f"Stack {stack}, its sandbox and its state are gone.")
    environment.require_state(stack)
    prerequisites.make_ready(stack, progress)
    opened = open_stack(stack, progress, create=False)
    snapshot = state.snapshot_of(opened, stack)
    ownership.require_own_host(stack, snapshot)
    if not yes:
        _ask(opened, stack, snapshot.settings, progress)
        snapshot = state.snapshot_of(opened, stack)
    settings, resources = snapshot.settings, state.resources_in(snapshot.deployment)
    recovery.fix(opened, stack, snapshot, progress, destroying=True)
    host_repair.keep_program(stack, settings, resources, progress)
    recovery.alone(
        opened,
        f"pulumi destroy of stack {stack}",
        progress,
        lambda: opened.destroy(on_output=progress.line, color=color(), suppress_progress=True, show_secrets=False),
    )
    left = host_repair.finish_deletes(stack, settings, [], progress)
    kept = environment.place_of_state(stack)
    holder = recovery.holder_of_port(stack, settings, resources)
    text = (
        f"Stack {stack} is taken down: {holder} has port {settings.sentinel.port}, Sentinel's database keeps its "
        f"volume, and the history stays in {kept}."
    )
    if left:
        text += "".join(f"\n{sentence}" for sentence in left) + f"\nFix that, then run `make down STACK={stack}` again."
    return Result({"ok": not left, "stack": stack, "left": left}, text, ok=not left)


def _ask(opened: automation.Stack, stack: str, settings: Settings, progress: Progress) -> None:
    with as_user_error(f"pulumi destroy --preview-only of stack {stack}"):
        opened.destroy(
            on_output=progress.line, color=color(), suppress_progress=True, show_secrets=False, preview_only=True
        )
    nobody = settings.predecessor.kind == "absent"
    outcome = "nobody has the port then" if nobody else "the predecessor gets the port"
    require_yes(f"Destroy stack {stack}: {outcome}, Sentinel is removed, its data is kept?")
