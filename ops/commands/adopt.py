"""`make adopt`: the state of a stack that its host runs already, in a clone that lost it or never had it.

Owns: the order of the two ways: the newest sealed copy on the host that opens; else a state rebuilt from the host.
Deliberately does not: restart a container. Where one runs otherwise than this clone declares, it is named and left.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from pulumi import automation

from console.errors import UserError
from console.progress import Progress
from console.question import require_yes
from console.result import Result
from ops.engine import (
    changes,
    environment,
    ownership,
    prerequisites,
    rebuild,
    recovery,
    run,
    sandbox,
    state,
    state_copy,
    verification,
)
from ops.engine.ownership import Shown
from ops.engine.run import color, open_stack, planned_steps
from ops.engine.state import Snapshot
from settings import Settings


def adopt(stack: str, progress: Progress, *, yes: bool) -> Result:
    """Exit status 0 only when the state is whole, the next run changes nothing, and every backend answers."""
    prerequisites.make_ready(stack, progress)
    opened = open_stack(stack, progress)
    snapshot = state.snapshot_of(opened, stack)
    settings, found = snapshot.settings, ownership.shown(stack, snapshot.settings)
    _require_something_to_adopt(stack, snapshot, found)
    before: list[str] = []
    copy = _opening_copy(stack, settings, found, progress)
    source = f"the copy of {copy[0]['at']}" if copy else "the host itself"
    serving = found.serving[0] if found.serving else found.containers[0]
    if not (yes or sandbox.of_stack(stack)):
        require_yes(f"Take over stack {stack} ({serving}) with a state from {source}? Nothing is restarted.")
    if copy:
        for line in state_copy.restore(stack, copy[1]):
            progress.line(line)
        opened = open_stack(stack, progress, create=False)
        settings = state.settings_of(opened, stack)
        identity = state.identity(state.resources_of(opened, stack))
    else:
        identity = str(found.record.get("id") or secrets.token_hex(8))
        planned = rebuild.planned_resources(opened, stack)
        ownership.replace(opened, stack, rebuild.deployment(opened, stack, settings, identity, planned))
        before = rebuild.before_containers(planned)
    ownership.claim(stack, settings, identity, adopt=True)
    recovery.alone(
        opened,
        f"pulumi refresh of stack {stack}",
        progress,
        lambda: opened.refresh(on_output=progress.line, color=color(), suppress_progress=True, show_secrets=False),
    )
    if before:
        recovery.alone(
            opened,
            f"pulumi up of what the containers of stack {stack} need",
            progress,
            lambda: opened.up(
                target=before, on_output=progress.line, color=color(), suppress_progress=True, show_secrets=False
            ),
        )
    left = harmful(opened, stack)
    if not left and not copy:
        recovery.up(opened, stack, state.snapshot_of(opened, stack), progress)
    planned = run.preview(opened, stack, progress)
    verified = verification.verify_backends(stack, settings)
    document = {"ok": verified.ok and not left, "from": source, "changes": planned, "left": left}
    return Result(document, _text(stack, document, verified), ok=bool(document["ok"]))


def _require_something_to_adopt(stack: str, snapshot: Snapshot, found: Shown) -> None:
    if not state.is_of_no_host(state.resources_in(snapshot.deployment)):
        raise UserError(
            f"This clone has the state of stack {stack} already: `make up STACK={stack}`, or move "
            f"{environment.place_of_state(stack)} aside first."
        )
    if not found.containers:
        raise UserError(f"The host of stack {stack} has nothing to take over: `make up STACK={stack}` makes the stack.")
    recorded = str(found.record.get("stack") or stack)
    if recorded != stack:
        raise UserError(f"The host runs stack {recorded}: `make adopt STACK={recorded}`.")


def _opening_copy(
    stack: str, settings: Settings, found: Shown, progress: Progress
) -> tuple[Mapping[str, Any], dict[str, bytes]] | None:
    """The newest copy of this stack that opens, and its files; None where there is none."""
    for copy in found.copies:
        if not str(copy["name"]).startswith(f"{stack}-"):
            continue
        try:
            return copy, state_copy.fetched(stack, settings, str(copy["name"]))
        except UserError as error:
            progress.line(f"{copy['name']}: {error}")
    return None


def harmful(opened: automation.Stack, stack: str) -> list[str]:
    """The names of the resources that the next run would replace or delete."""
    kinds = ("replace", "delete", "delete-replaced")
    return sorted({urn.rpartition("::")[2] for urn, kind in planned_steps(opened, stack) if kind in kinds})


def _text(stack: str, document: Mapping[str, Any], verified: Result) -> str:
    lines = [f"adopted    stack {stack}, from {document['from']}; {changes.with_unchanged(document['changes'])}"]
    lines += verification.lines(verified)
    if document["left"]:
        lines.append(
            f"differs    {', '.join(document['left'])}: what runs differs from Pulumi.{stack}.yaml, and the next "
            "`make up` replaces it; correct the setting to keep what runs"
        )
    if not sandbox.of_stack(stack):
        lines += state_copy.to_keep(stack)
    lines.append(f"next       make status STACK={stack}")
    return "\n".join(lines)
