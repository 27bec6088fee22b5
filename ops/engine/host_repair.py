"""Repair of what the host lost since the last run and the engine would not notice, since it skips unchanged actions.

- `hostctl`'s own file, without which no delete can run, is restored.
- Deletes that a rollback could not do are run again, before the run creates what it declares.
- Claude's token and entry are restored while Sentinel has the port; Claude may lose an entry, as by a new login.

Owns: those three, before a run. Deliberately does not: check Docker's objects, which the engine's refresh compares.
"""

from __future__ import annotations

from console.errors import UserError
from console.progress import Progress
from ops.engine import host, state
from settings import Settings


def keep_program(stack: str, settings: Settings, resources: state.Resources, progress: Progress) -> None:
    """Restore `hostctl`: the engine's deletes run it on the host, and without it there is no rollback."""
    if not resources:
        return
    path = f"{settings.host.folder}/hostctl.pyz"
    if host.run(stack, settings, "self", "install", {"path": path})["written"]:
        progress.line(f"{path} was missing on the host and has been restored.")


def finish_deletes(stack: str, settings: Settings, progress: Progress) -> list[str]:
    """Run again what could not be deleted; the sentences on what still cannot be done, which stays recorded."""
    answer = host.run(stack, settings, "unfinished", "repair", {"folder": settings.host.folder})
    for verb in answer["done"]:
        progress.line(f"{verb}: an earlier run could not do it; done now.")
    for sentence in answer["left"]:
        progress.line(sentence)
    return list(answer["left"])


def drop_deletes(stack: str, settings: Settings) -> None:
    """Remove the records of undone deletes after a cutover, which created what they were to delete."""
    if settings.active == "sentinel":
        host.run(stack, settings, "unfinished", "drop", {"folder": settings.host.folder})


def keep_claude(stack: str, settings: Settings, resources: state.Resources, progress: Progress) -> None:
    """Restore token and entry as the last run left them.

    A refusal is reported and stops nothing: the verification shows its effect.
    """
    client = state.component(resources, "ClaudeClient")
    if settings.active != "sentinel" or not client:
        return
    token, entry = client["token_request"], client["entry_request"]
    try:
        if not host.run(stack, settings, "token", "write", token)["kept"]:
            progress.line(f"The token in {token['path']} was missing or about to expire; a new one has been written.")
        if host.run(stack, settings, "claude", "apply", entry)["changed"]:
            progress.line(
                f"Claude's entry {entry['entry']} in {entry['file']} was not as declared and has been restored."
            )
    except UserError as error:
        progress.line(str(error))
