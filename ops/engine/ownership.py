"""The stack's host and its state, whether they belong together, before a command acts on either.

- An empty state never acts on a host where containers of this product are.
- A state never acts on a host that another state has claimed since.
- A host that has nothing of the stack any more is a new machine: everything is created there.

Owns: those three, and the record on the host of a state that has an id. Deliberately does not: judge a container.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

from pulumi import automation

from console.errors import UserError
from console.paths import WORK
from console.progress import Progress
from console.question import require_yes
from hostctl.core import atomic_file
from ops.engine import environment, host, host_inspection, sandbox, state, state_copy
from ops.engine.run import as_user_error, command
from ops.engine.state import Snapshot
from settings import Settings
from settings.names import DATABASE_VOLUME


@dataclass(frozen=True)
class Shown:
    """The answer of `stack show`: the host's record, its machine, the containers of ours, and the state's copies."""

    record: Mapping[str, Any]
    machine: str
    containers: tuple[str, ...]
    serving: tuple[str, ...]
    copies: tuple[Mapping[str, Any], ...]


def shown(stack: str, settings: Settings) -> Shown:
    """The host's own record of its stack."""
    answer = host.run(stack, settings, "stack", "show", {"folder": settings.host.folder})
    return Shown(
        cast("Mapping[str, Any]", answer["record"] or {}),
        str(answer["machine"]),
        tuple(answer["containers"]),
        tuple(answer["serving"]),
        tuple(answer["copies"]),
    )


def require_ready_host(stack: str, snapshot: Snapshot) -> Shown:
    """The record of a host that is able to run the stack, and the state's own. Raises UserError, nothing changed."""
    with ThreadPoolExecutor() as pool:
        able = pool.submit(host_inspection.require_able, stack, snapshot.settings)
        found = pool.submit(shown, stack, snapshot.settings)
    able.result()
    return _own(stack, snapshot, found.result())


def require_own_host(stack: str, snapshot: Snapshot) -> Shown:
    """The host's record; raises UserError, nothing changed, where the host belongs to a state other than this one."""
    return _own(stack, snapshot, shown(stack, snapshot.settings))


def _own(stack: str, snapshot: Snapshot, found: Shown) -> Shown:
    settings, resources = snapshot.settings, state.resources_in(snapshot.deployment)
    known = state.identity(resources)
    if not found.containers:
        return found
    if state.is_of_no_host(resources):
        raise UserError(_without_state(stack, settings, found))
    if known and found.record and found.record.get("id") != known:
        raise UserError(
            f"The host of stack {stack} has belonged to another state of stack {found.record.get('stack')} since "
            f"{found.record.get('since')}, and this one is older: nothing was changed. Work in the clone that has "
            f"that state, or move {environment.place_of_state(stack)} aside and run `make adopt STACK={stack}`."
        )
    if known and not found.record:
        claim(stack, settings, known)
    return found


def claim(stack: str, settings: Settings, identity: str, *, adopt: bool = False) -> None:
    """Record on the host that it belongs to the state with this id."""
    document = {"folder": settings.host.folder, "stack": stack, "id": identity, "adopt": adopt}
    host.run(stack, settings, "stack", "claim", document)


def is_lost(found: Shown, deployment: Mapping[str, Any]) -> bool:
    """True where the host has nothing of what the state knows: a new machine, or a disk without the product."""
    resources = state.resources_in(deployment)
    known = state.identity(resources)
    claimed = bool(known) and not state.is_of_no_host(resources)
    return claimed and not found.containers and found.record.get("id") != known


def start_over(
    opened: automation.Stack, stack: str, snapshot: Snapshot, found: Shown, progress: Progress, *, yes: bool
) -> Snapshot:
    """The snapshot with an empty state, for a host that was replaced; the former state is kept beside the log."""
    former = str(state.component(state.resources_in(snapshot.deployment), "Host").get("machine") or "unknown")
    progress.line(
        f"The host of stack {stack} has nothing of the stack: it is machine {found.machine or 'unknown'}, and the "
        f"state is of {former}. Everything is created there."
    )
    if not (yes or sandbox.of_stack(stack)):
        require_yes(f"Forget what the state of stack {stack} knows of the former host?")
    kept = WORK / f"former-host-{stack}.json"
    WORK.mkdir(parents=True, exist_ok=True)
    atomic_file.write(str(kept), json.dumps({"version": 3, "deployment": snapshot.deployment}).encode(), 0o600)
    state_copy.forget(stack)
    replace(opened, stack, {**snapshot.deployment, "resources": [], "pending_operations": []})
    progress.line(f"The state of the former host is kept in {kept}.")
    return state.snapshot_of(opened, stack)


def replace(opened: automation.Stack, stack: str, deployment: Mapping[str, Any]) -> None:
    """Put the deployment in the state's place, as `pulumi stack import` does; its secrets stay encrypted."""
    file = WORK / f"import-{stack}.json"
    WORK.mkdir(parents=True, exist_ok=True)
    atomic_file.write(str(file), json.dumps({"version": 3, "deployment": deployment}).encode(), 0o600)
    try:
        with as_user_error(f"pulumi stack import of stack {stack}"):
            command(opened, ["stack", "import", "--stack", stack, "--file", str(file)])
    finally:
        file.unlink()


def of_a_new_host(settings: Settings) -> list[str]:
    """The lines that end a run on a host that was replaced."""
    return [
        f"new host   the volume {DATABASE_VOLUME} is empty: the audit log starts empty",
        f"restore    copy a backup of the former host into {settings.nightly.folder}, then make restore FROM=its name",
    ]


def _without_state(stack: str, settings: Settings, found: Shown) -> str:
    recorded = str(found.record.get("stack") or stack)
    serving = f"{found.serving[0]} serves on it" if found.serving else f"{found.containers[0]} is on it"
    if recorded != stack:
        return f"The host of stack {stack} already runs stack {recorded}, and {serving}: use STACK={recorded}."
    copy = f"; a copy of it of {found.copies[0]['at']} is on the host" if found.copies else ""
    return (
        f"The host already runs stack {stack}, and {serving}, but this clone has no state of it: nothing was changed. "
        f"Take it over by `make adopt STACK={stack}`{copy}; or copy {environment.place_of_state(stack)} and the "
        "passphrase from the clone that made it."
    )
