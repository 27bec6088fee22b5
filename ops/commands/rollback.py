"""`make rollback`: back to ContextForge, or to an earlier update of the stack's history.

Owns: the choice of the update, the refusals before anything changes, and the truth of the exit status.
Deliberately does not: run by itself, ever; nor restore a secret. Secrets stay as they are: the engine's list of updates
holds none, a replaced one must not come back, and the database knows today's password only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from pulumi import automation

from console.errors import UserError
from console.progress import Progress
from console.question import require_yes
from console.result import Result
from ops.engine import (
    changes,
    claude_sessions,
    host,
    ownership,
    prerequisites,
    recovery,
    run,
    sandbox,
    stack_file,
    state,
    verification,
)
from ops.engine.history import Update, differences, image_of, rows_of, table, updates_of
from ops.engine.run import PROJECT, EngineFailed, LockHeld, open_stack
from ops.engine.stack_file import Configuration, Values
from ops.engine.state import Snapshot
from settings import Settings, SettingsError, load

SHOWN_UPDATES = 15


@dataclass(frozen=True)
class Choice:
    """The destination of a rollback: its name in the question, and the whole configuration without secrets.

    `number` is that of a chosen update; None is today's configuration with `active: contextforge`.
    """

    name: str
    values: Values
    number: int | None = None


class NotMoved(EngineFailed):
    """The handover failed before the engine ran; the sentence says who serves."""


def rollback(stack: str, progress: Progress, *, to: int | None, force: bool, yes: bool) -> Result:
    """Roll back to ContextForge with today's configuration, or to the configuration of update `to`.

    Shows the history and the preview, asks, hands the port over, runs the engine, verifies. With nobody to ask, nothing
    delays ContextForge; the configuration of an earlier update is previewed all the same. `force` hands over even
    where ContextForge fails a gate, and is recorded. Raises UserError, nothing changed, for an update that is
    not there, did not succeed, or whose image or predecessor is gone.
    """
    prerequisites.make_ready(stack, progress)
    opened = _opened(stack, progress)
    snapshot = state.snapshot_of(opened, stack)
    ownership.require_own_host(stack, snapshot)
    state.require_begun(stack, snapshot.deployment)
    updates = updates_of(opened, stack)
    for line in table(rows_of(updates))[: SHOWN_UPDATES + 1]:
        progress.line(line)
    today = stack_file.read(stack)
    choice = chosen(updates, today, to)
    deployment = snapshot.deployment
    settings = _settings(opened, stack, choice)
    state.require_same_host(stack, deployment, settings)
    _refuse_what_is_gone(stack, state.resources_in(deployment), settings, choice)
    candidate = stack_file.candidate(stack, choice.values)
    _show(today, choice, progress)
    for line in claude_sessions.lines(claude_sessions.found(stack, settings, settings.active)):
        progress.line(line)
    asks = not (yes or sandbox.of_stack(stack))
    if asks or to is not None:
        run.preview(opened, stack, progress, candidate)
    if asks:
        require_yes(f"Roll stack {stack} back to {choice.name}?")
        deployment = state.deployment_of(opened, stack)
    previous = stack_file.file_of(stack).read_bytes()
    stack_file.adopt(stack, candidate)
    try:
        return _run(opened, stack, Snapshot(settings, deployment), progress, force=force)
    except (LockHeld, NotMoved):
        # This run has not begun: the file must again say what the stack runs with.
        candidate.write_bytes(previous)
        stack_file.adopt(stack, candidate)
        raise


def _opened(stack: str, progress: Progress) -> automation.Stack:
    """The stack; where its backend is away, the error names the rollback that needs none."""
    try:
        return open_stack(stack, progress, create=False)
    except EngineFailed as error:
        raise EngineFailed(
            f"{error} A rollback needs no state: run `hostctl handover back` on the host "
            "(docs/runbook.md#the-laptop-is-gone)"
        ) from None


def chosen(updates: Sequence[Update], today: Configuration, to: int | None) -> Choice:
    """The destination; raises UserError where there is no such update, or none that can be restored."""
    if to is None:
        return Choice("ContextForge, with today's configuration", {**today.values, "active": "contextforge"})
    update = next((candidate for candidate in updates if candidate.number == to), None)
    if update is None:
        known = f"they are 1 to {updates[0].number}" if updates else "there is none yet"
        raise UserError(f"There is no update {to}: {known} (`make history`).")
    if update.kind not in ("update", "refresh") or update.result != "succeeded":
        raise UserError(
            f"Update {to} (a run of {update.kind}) ended as {update.result}: choose an update that succeeded "
            "(`make history`)."
        )
    lacking = update.secrets - today.secrets
    if lacking:
        raise UserError(
            f"Update {to} ran with the secret {', '.join(sorted(lacking))}, which is no longer set and which no "
            f"history holds: set it (`pulumi config set --secret {min(lacking)}`), then run again."
        )
    # A key that has become a secret stays one, with its present value.
    values = {key: value for key, value in update.settings.items() if key not in today.secrets}
    return Choice(f"update {to} of {update.at}", values, to)


def _settings(opened: automation.Stack, stack: str, choice: Choice) -> Settings:
    """The chosen configuration as today's program reads it; raises UserError where it no longer can."""
    config = state.configuration_of(opened, stack)
    secrets = {name.removeprefix(f"{PROJECT}:"): entry.value for name, entry in config.items() if entry.secret}
    try:
        # A copy: literal dotted keys are laid over the nested ones in place.
        return load(deepcopy({**choice.values, **secrets}), set(secrets), stack=stack)
    except SettingsError as error:
        raise UserError(f"Nothing was changed: {choice.name} has a configuration that is refused.\n{error!s}") from None


def _refuse_what_is_gone(
    stack: str, resources: Sequence[Mapping[str, Any]], settings: Settings, choice: Choice
) -> None:
    record = state.predecessor_record(resources) if settings.active == "contextforge" else {"kind": "absent"}
    needs_predecessor = "contextforge" in (settings.active, settings.predecessor.kind)
    retired = settings.host.folder if needs_predecessor else ""
    try:
        host.run(
            stack,
            settings,
            "rollback",
            "check",
            {"images": images_of(choice, settings), "predecessor": record, "retired_folder": retired},
        )
    except UserError as error:
        raise UserError(f"Nothing was changed: a rollback to {choice.name} is not possible: {error}") from None
    if settings.active == "contextforge" and settings.predecessor.kind == "absent":
        raise UserError(
            f"Nothing was changed: {choice.name} would leave port {settings.sentinel.port} to nobody, since "
            "predecessor.kind is absent: choose another update (`make history`), or, to have it so, "
            "`pulumi config set active contextforge` and `make up`."
        )


def images_of(choice: Choice, settings: Settings) -> list[str]:
    """The images that must be there.

    Of a chosen update every one that its containers would run (the bridge's is made over Sentinel's); with today's
    configuration none of the monitoring, which may not keep ContextForge from the port.
    """
    images = [image_of(choice.values), settings.postgres.image]
    if choice.number is not None:
        images += [
            settings.prometheus.image if settings.prometheus.enabled else None,
            settings.grafana.image if settings.grafana.enabled else None,
        ]
    return [image for image in images if image]


def _show(today: Configuration, choice: Choice, progress: Progress) -> None:
    different = "; ".join(differences(today.values, choice.values)) or "nothing"
    progress.line(f"Rollback to {choice.name}; changes in the configuration: {different}.")


def _run(opened: automation.Stack, stack: str, snapshot: Snapshot, progress: Progress, *, force: bool) -> Result:
    settings = snapshot.settings
    before = host.handover_status(stack, settings, ())["last"]
    first = settings.active == "contextforge" and _port_first(opened, stack, snapshot, progress, force=force)
    try:
        result = recovery.up(opened, stack, snapshot, progress)
    except UserError as error:
        begun = first or (isinstance(error, EngineFailed) and not isinstance(error, LockHeld))
        if not begun:
            raise
        raise EngineFailed(f"{error} Pulumi.{stack}.yaml says active: {settings.active}.") from None
    verified = verification.verify_backends(stack, settings)
    now = host.handover_status(stack, settings, state.resources_of(opened, stack))
    last = now["last"]
    moved = bool(last) and last != before
    sessions = claude_sessions.found(stack, settings)
    ok = now["active"] == recovery.owner(settings) and verified.ok
    document = {
        "ok": ok,
        "active": now["active"],
        "downtime_ms": last["downtime_ms"] if moved else 0,
        "verify": verified.document,
        "sessions": sessions,
        "changes": result.changes,
    }
    return Result(document, _text(stack, document, last if moved else {}, verified), ok)


def _port_first(opened: automation.Stack, stack: str, snapshot: Snapshot, progress: Progress, *, force: bool) -> bool:
    """Hand the port to ContextForge before the engine takes anything down, so that no delete delays it.

    False where Sentinel does not serve: what is left to do is the engine's. Raises LockHeld while another run is at
    work, which must not be overtaken, and NotMoved where Sentinel serves on.
    """
    settings, resources = snapshot.settings, state.resources_in(snapshot.deployment)
    recovery.require_unlocked(opened, stack, progress)
    status = recovery.wait_for_the_host(stack, settings, resources, progress)
    if status["active"] != "sentinel" and not status["unfinished"]:
        return False
    document = {**state.handover_request(resources, settings), "force": force}
    try:
        moved = recovery.give_back(stack, settings, status, document)
    except EngineFailed:
        raise
    except UserError as error:
        raise NotMoved(str(error)) from None
    if moved["changed"]:
        progress.line(f"{moved['from']} -> {moved['to']}: downtime {moved['downtime_ms']} ms; the engine follows.")
    return bool(moved["changed"])


def _text(stack: str, document: Mapping[str, Any], last: Mapping[str, Any], verified: Result) -> str:
    lines = [changes.summary(document["changes"]), f"serving    {document['active']} owns the port"]
    if last:
        lines.append(f"handover   {last['from']} -> {last['to']}, downtime {last['downtime_ms']} ms")
    lines += verification.lines(verified)
    lines += claude_sessions.lines(document["sessions"])
    lines.append(f"next       make status STACK={stack} · make up STACK={stack} · make history STACK={stack}")
    return "\n".join(lines)
