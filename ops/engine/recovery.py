"""Repair after a killed run, where that is safe; each unfinished operation is reported in one sentence.

A killed engine leaves its lock on the stack and operations that it had begun; a killed `hostctl` leaves its journal.
- The lock is taken away only when the process that held it is dead: on a machine that alone has used the backend
  (ops/engine/locks.py), or before the command that had started it (ops/engine/ended_runs.py).
- The run itself repeats an interrupted action, since every action is idempotent. It would skip two kinds, which are
  finished here: an interrupted create that the program no longer has, by its own delete; an interrupted delete or
  update that the program has, by its own create.
- A Docker object that the state does not know is removed if the killed run made it and nothing serves by it.
- After the run the configured gateway has the port, even if a handover failed halfway.

Owns: `up`, the only place where these commands run the engine's update; the sentences.
Deliberately does not: touch a lock of another machine, or anything without our label.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from pulumi import automation
from pulumi.automation import errors

from console.paths import WORK
from console.progress import Progress
from ops.engine import (
    after_failure,
    ended_runs,
    former_connections,
    host,
    host_repair,
    locks,
    orphans,
    state,
    state_copy,
)
from ops.engine.run import PROJECT, EngineFailed, LockHeld, as_user_error, command, planned_steps, update
from ops.engine.state import Operation, Snapshot
from settings import Settings

BUSY_SECONDS = 120.0
"""A handover that outlived its engine ends within its own limits: a predecessor's start, and an undo."""

Done = TypeVar("Done")


@dataclass(frozen=True)
class Updated:
    """The steps of an update by their kind, and the stack's plain outputs after it."""

    changes: Mapping[str, int]
    outputs: Mapping[str, Any]


def up(opened: automation.Stack, stack: str, snapshot: Snapshot, progress: Progress) -> Updated:
    """The engine's update: a killed run is repaired before it, and the port is where it should be after it."""
    with after_failure.reported(stack, snapshot.settings, state.resources_in(snapshot.deployment), progress):
        return _up(opened, stack, snapshot, progress)


def _up(opened: automation.Stack, stack: str, snapshot: Snapshot, progress: Progress) -> Updated:
    snapshot = former_connections.replaced(opened, stack, snapshot, progress)
    settings, before = snapshot.settings, state.resources_in(snapshot.deployment)
    fix(opened, stack, snapshot, progress)
    host_repair.keep_program(stack, settings, before, progress)
    if before:
        host_repair.finish_deletes(stack, settings, before, progress)
    host_repair.keep_claude(stack, settings, before, progress)
    lost = _files_written(opened, stack, settings, before, progress)
    orphans.note_beginning(stack)
    # A refresh at every run would cost each unchanged one a second or two.
    refresh = host_repair.containers_are_missing(lost, before, progress)
    made = alone(
        opened, f"pulumi up of stack {stack}", progress, lambda: update(opened, stack, progress, refresh=refresh)
    )
    host_repair.drop_deletes(stack, settings)
    after = state.deployment_of(opened, stack)
    changed = bool(set(made) - {"same"})
    if changed:
        # A delete that was owed since a failed run may be of files that this run has written again.
        _files_written(opened, stack, settings, state.resources_in(after), progress)
    outputs = state.outputs_in(after)
    finish(opened, stack, settings, before, progress, str(outputs.get("sentinel", "")))
    state_copy.keep(stack, settings, progress, changed=changed)
    return Updated(made, outputs)


def _files_written(
    opened: automation.Stack, stack: str, settings: Settings, resources: state.Resources, progress: Progress
) -> dict[str, Any]:
    """The losses on the host, as `docker presence` answers; missing files are written again."""
    lost = host_repair.presence(stack, settings, resources)
    host_repair.write_files(
        stack,
        settings,
        lost,
        lambda: state.resources_in(state.deployment_of(opened, stack, secrets=True)),
        progress,
    )
    return lost


def alone(opened: automation.Stack, action: str, progress: Progress, run: Callable[[], Done]) -> Done:
    """Run an action that needs the stack's lock; a dead run's lock is removed, a living one's holder is named."""
    with as_user_error(action):
        try:
            return run()
        except errors.ConcurrentUpdateError as error:
            found_locks = locks.locks(str(error))
            if not found_locks:
                raise
            ours = locks.is_of_this_machine_alone(opened.workspace.env_vars)
            held = (lock for lock in found_locks if not (ended_runs.has(lock) or (ours and lock.is_stale())))
            living = next(held, None)
            if living:
                raise LockHeld(f"{action} did not start: {living}; {living.fix()}.") from None
        for lock in found_locks:
            progress.line(f"An earlier run left its lock ({lock}); the process is gone, so the lock goes too.")
        opened.cancel()
        return run()


def require_unlocked(opened: automation.Stack, stack: str, progress: Progress) -> None:
    """Raise LockHeld while another run is at work on the stack; a refresh of the stack alone takes the lock."""
    alone(opened, f"the rollback of stack {stack}", progress, lambda: _take_lock(opened, stack))


def _take_lock(opened: automation.Stack, stack: str) -> None:
    root = f"urn:pulumi:{stack}::{PROJECT}::pulumi:pulumi:Stack::{PROJECT}-{stack}"
    command(opened, ["refresh", "--yes", "--skip-preview", "--stack", stack, "--target", root])


def fix(
    opened: automation.Stack,
    stack: str,
    snapshot: Snapshot,
    progress: Progress,
    *,
    destroying: bool = False,
) -> None:
    """Repair before a run. It may be killed as well: a pending operation stays pending until it is finished."""
    settings = snapshot.settings
    pending = cast("Sequence[Operation]", snapshot.deployment.get("pending_operations") or [])
    note = WORK / f"interrupted-{stack}"
    if not pending and not note.exists():
        return
    action = f"clearing the unfinished operations of stack {stack}"
    alone(opened, action, progress, lambda: _take_lock(opened, stack))
    # Only now, since the refresh took the lock: the run that had begun them is gone.
    for operation in pending:
        progress.line(sentence(operation))
    wait_for_the_host(stack, settings, state.resources_of(opened, stack), progress)
    if pending:
        _finish(opened, stack, settings, {} if destroying else _planned(opened, stack), progress)
    names = sorted({*orphans.begun(pending), *(note.read_text(encoding="utf-8").split() if note.exists() else ())})
    WORK.mkdir(parents=True, exist_ok=True)
    note.write_text("\n".join(names), encoding="utf-8")
    if any(operation["type"] == "creating" for operation in pending):
        with as_user_error(action):
            opened.refresh(clear_pending_creates=True, suppress_progress=True, show_secrets=False)
    orphans.remove(stack, settings, state.resources_of(opened, stack), names, progress)
    note.unlink()


def holder_of_port(stack: str, settings: Settings, resources: state.Resources) -> str:
    """The name of the container that has the port now."""
    status = host.handover_status(stack, settings, resources)
    return cast("Mapping[str, str]", status["holder"] or {"name": "nobody"})["name"]


def finish(
    opened: automation.Stack,
    stack: str,
    settings: Settings,
    before: state.Resources,
    progress: Progress,
    container: str,
) -> None:
    """Finish, after a run, a handover that failed halfway or was not recorded, as the configuration says.

    `before` is the state before the run, which still has the handover's request; `container` is Sentinel's name now.
    """
    status = host.handover_status(stack, settings, before)
    holder = cast("Mapping[str, str]", status["holder"] or {"name": "nobody", "id": ""})
    as_configured = status["active"] == owner(settings) and (
        status["active"] != "sentinel" or holder["name"] == container
    )
    if status["active"] == "unknown owner" or (as_configured and not status["unfinished"]):
        return
    document = state.handover_request(state.resources_of(opened, stack), settings)
    progress.line(f"{holder['name']} has the port, and {owner(settings)} should: finishing the handover.")
    if settings.active == "sentinel":
        # The engine sees no difference in a container that was stopped by hand or by a boot, and does not start it.
        standby = {"container": document["container"], "limit_seconds": settings.sentinel.start_seconds}
        limit = host.LIMIT_SECONDS + settings.sentinel.start_seconds
        host.run(stack, settings, "sentinel", "start", standby, limit_seconds=limit)
        host.hand_over(stack, settings, "cutover", document)
        return
    give_back(stack, settings, status, document)


def give_back(stack: str, settings: Settings, status: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """The handover's rollback from whichever container of ours serves now, which may be another than the request's."""
    serving = status["holder"]["id"] if status["active"] == "sentinel" else document["container"]
    return host.hand_over(stack, settings, "rollback", {**document, "container": serving})


def owner(settings: Settings) -> str:
    """The gateway that should have the port; where ContextForge never ran, a rollback leaves it to nobody."""
    return "nobody" if settings.active == "contextforge" and settings.predecessor.kind == "absent" else settings.active


def sentence(operation: Operation) -> str:
    """One sentence on an interrupted operation."""
    return (
        f"A killed run was {operation['type']} {_name(operation)}: the host shows what was done, and what is missing "
        "is done again."
    )


def _finish(
    opened: automation.Stack, stack: str, settings: Settings, planned: Mapping[str, str], progress: Progress
) -> None:
    """Run the verbs that the coming run would skip. `planned` has its step for each resource of the program.

    Secrets are decrypted for this alone; they go from the state to the verb's stdin.
    """
    deployment = state.deployment_of(opened, stack, secrets=True)
    recorded = {known["urn"]: known for known in state.resources_in(deployment) if not known.get("delete")}
    for operation in cast("Sequence[Operation]", deployment.get("pending_operations") or []):
        urn = operation["resource"]["urn"]
        if operation["type"] == "creating" and urn not in planned:
            resource, step = operation["resource"], "delete"
        elif operation["type"] in ("deleting", "updating") and planned.get(urn) == "same" and urn in recorded:
            resource, step = recorded[urn], "create"
        else:
            continue
        inputs = cast("Mapping[str, Any]", resource.get("inputs") or {})
        document = state.document_of(inputs.get("stdin"))
        if inputs.get(step) and document is not None:
            *_, verb, action = str(inputs[step]).split()
            progress.line(f"{_name(operation)}: {verb} {action}, since the killed run did not record its result.")
            host.run(stack, settings, verb, action, document)


def _planned(opened: automation.Stack, stack: str) -> dict[str, str]:
    """The step that a run would take for each resource of the program as it is configured now."""
    return {urn: kind for urn, kind in planned_steps(opened, stack) if kind != "delete"}


def wait_for_the_host(stack: str, settings: Settings, resources: state.Resources, progress: Progress) -> dict[str, Any]:
    """The handover's status once none is at work: `hostctl` finishes one although its engine was killed, and two at
    once would refuse each other."""
    end, reported = time.monotonic() + BUSY_SECONDS, False
    while busy := (status := host.handover_status(stack, settings, resources))["busy"]:
        if time.monotonic() > end:
            raise EngineFailed(
                f"{busy['reason']} (process {busy['pid']}) is at work on the host since {busy['since']}: wait until it "
                "has ended, then run again."
            )
        if not reported:
            progress.line(f"{busy['reason']} of the killed run is at work on the host since {busy['since']}; waiting …")
            reported = True
        time.sleep(0.2)
    return status


def _name(operation: Operation) -> str:
    return str(operation["resource"]["urn"]).rpartition("::")[2]
