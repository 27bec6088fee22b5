"""What the host may have lost since the last run and no run of the engine would notice: it skips an unchanged action.

- `hostctl`'s own file, without which no delete can run, is put back where it was lost.
- Claude's token and entry are put back while Sentinel has the port; Claude itself may lose an entry, as by a new login.

Owns: those two, before a run. Deliberately does not: look at what Docker has, which the engine's refresh compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from console.errors import UserError
from console.progress import Progress
from ops.engine import host
from settings import Settings


def keep_program(stack: str, settings: Settings, resources: Sequence[Mapping[str, Any]], progress: Progress) -> None:
    """The engine's deletes run `hostctl` on the host; where its file was lost there would be no rollback."""
    if not resources:
        return
    path = f"{settings.host.folder}/hostctl.pyz"
    if host.run(stack, settings, "self", "install", {"path": path})["written"]:
        progress.line(f"{path} was gone from the host; it is there again.")


def keep_claude(stack: str, settings: Settings, resources: Sequence[Mapping[str, Any]], progress: Progress) -> None:
    """As the last run left them. A refusal is told and stops nothing: the verification says what it comes to."""
    entry = host.asked_of(resources, "claude", "apply")
    if settings.active != "sentinel" or entry is None:
        return
    token = host.asked_of(resources, "token", "write", path=entry["token_file"])
    try:
        if token is not None and not host.run(stack, settings, "token", "write", token)["kept"]:
            progress.line(f"The token in {entry['token_file']} was gone, or near its end; there is a new one.")
        if host.run(stack, settings, "claude", "apply", entry)["changed"]:
            progress.line(f"Claude's entry {entry['entry']} in {entry['file']} was not as asked; it is there again.")
    except UserError as error:
        progress.line(str(error))
