"""`make backup`, `make restore-drill`, `make restore FROM=…`: the backups of Sentinel's database, by hand.

Owns: what is asked of the host, the question before a restore, and the words for a person.
Deliberately does not: know a dump; `hostctl backup` does all of it on the host, with the document that the night has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.nightly import night
from console.errors import UserError
from console.progress import Progress
from console.result import Result
from ops.commands import verify
from ops.commands.deploy import ask
from ops.engine import host, sandbox
from ops.engine.run import open_stack
from settings import Settings

LIMIT_SECONDS = 2 * 3600
"""Of one command: a dump or a restore of a large database lies within it."""


def backup(stack: str, progress: Progress) -> Result:
    """A backup now, rotation included; ok only when it was read back whole."""
    progress.line("Backup: dumping and reading back …")
    said = _on_host(stack, _settings(stack, progress), "take")
    rows = sum(said["rows"].values())
    gone = len(said["removed"])
    text = (
        f"backup     {said['file']}: {said['bytes']} bytes, {rows} rows, read back whole in {_seconds(said['ms'])}\n"
        f"kept       {said['kept']}, {gone} older removed"
    )
    return Result({"ok": True, **said}, text)


def restore_drill(stack: str, progress: Progress) -> Result:
    """The newest backup in a one-shot Postgres; ok only when it is good."""
    progress.line("Restore test: the newest backup into a one-shot Postgres …")
    said = _on_host(stack, _settings(stack, progress), "drill")
    good = said["result"] == "good"
    held = f"{sum(said['rows'].values())} rows, newest {said['newest'] or 'none'}, as at its time" if good else ""
    text = f"{said['result']:<10} {said['file'] or 'no backup'} in {_seconds(said['ms'])}: {held or said['reason']}"
    return Result({"ok": good, **said}, text, ok=good)


def restore(stack: str, chosen: str, progress: Progress, *, yes: bool) -> Result:
    """The backup FROM takes the live database's place; what was live is kept beside it. Raises UserError."""
    if not chosen:
        raise UserError("FROM= names no backup: give the file's name in nightly.folder, or its path on the host.")
    settings = _settings(stack, progress)
    if not (yes or sandbox.of_stack(stack)):
        ask(
            f"Replace the database of stack {stack} by {chosen}? What is live now is kept beside it under another "
            "name; rows that came after the backup are only there."
        )
    progress.line(f"Restore: {chosen} beside the live database, then in its place …")
    said = _on_host(stack, settings, "restore", {"from": chosen})
    document = {"ok": True, **said}
    compared = "as counted at its time" if said["compared"] else "compared with nothing: no .json stood beside it"
    text = (
        f"restored   {said['file']}, taken {said['taken']}: {sum(said['after']['rows'].values())} rows, {compared}\n"
        f"closed     {said['closed_ms']} ms, in which the gateway's rows wait\n"
        f"kept       the former {sum(said['before']['rows'].values())} rows as database {said['kept']}\n"
        f"next       make verify"
    )
    return Result(document, text)


def _settings(stack: str, progress: Progress) -> Settings:
    opened = open_stack(stack, progress, create=False)
    if not verify.outputs_of(opened, stack).get("active"):
        raise UserError(f"Stack {stack} is not deployed; `make up STACK={stack}` deploys it.")
    return verify.settings_of(opened, stack)


def _on_host(stack: str, settings: Settings, word: str, further: Mapping[str, Any] | None = None) -> dict[str, Any]:
    document = {**night(settings), **(further or {})}
    return host.run(stack, settings, "backup", word, document, limit_seconds=LIMIT_SECONDS)


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.1f} s"
