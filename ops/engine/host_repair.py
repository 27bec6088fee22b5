"""Repair of what the host lost since the last run and the engine would not notice, since it skips unchanged actions.

- `hostctl`'s own file, without which no delete can run, is restored.
- Deletes that a rollback could not do are run again, before the run creates what it declares.
- Claude's token and entry are restored while Sentinel has the port; Claude may lose an entry, as by a new login.
- A container that was stopped or removed by hand is found, so that the run refreshes the state and makes another.
- Files that a container mounts, or that the state has, are written again: without them a container cannot restart.

Owns: those five. Deliberately does not: compare anything else of Docker's, as the engine's refresh does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from console.errors import UserError
from console.progress import Progress
from hostctl.docker.users import lies_in
from ops.engine import host, state
from settings import Settings


def keep_program(stack: str, settings: Settings, resources: state.Resources, progress: Progress) -> None:
    """Restore `hostctl`: the engine's deletes run it on the host, and without it there is no rollback."""
    if not resources:
        return
    path = f"{settings.host.folder}/hostctl.pyz"
    if host.run(stack, settings, "self", "install", {"path": path})["written"]:
        progress.line(f"{path} was missing on the host and has been restored.")


def unfinished(stack: str, settings: Settings, action: str, resources: state.Resources) -> dict[str, Any]:
    """The answer of `unfinished show` or `repair`; files that the state has again are not due."""
    declared = state.folders_of_files(resources, settings)
    return host.run(stack, settings, "unfinished", action, {"folder": settings.host.folder, "declared": declared})


def finish_deletes(stack: str, settings: Settings, resources: state.Resources, progress: Progress) -> list[str]:
    """Run again what could not be deleted; the sentences on what still cannot be done, which stays recorded."""
    answer = unfinished(stack, settings, "repair", resources)
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
    if settings.active != "sentinel" or not {"token_request", "entry_request"} <= client.keys():
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


def presence(stack: str, settings: Settings, resources: state.Resources) -> dict[str, Any]:
    """The losses on the host of the state's containers and files; empty for a state that has no container yet."""
    containers = _containers(resources)
    if not containers:
        return {}
    running = [str(resource["id"]) for resource in containers if resource["outputs"].get("mustRun")]
    existing = [str(resource["id"]) for resource in containers if not resource["outputs"].get("mustRun")]
    document = {"running": running, "existing": existing, "folders": state.folders_of_files(resources, settings)}
    return host.run(stack, settings, "docker", "presence", document)


def containers_are_missing(lost: Mapping[str, Any], resources: state.Resources, progress: Progress) -> bool:
    """Name the state's containers that are not on the host: the engine would take each for unchanged."""
    names = {str(resource["id"]): str(resource["outputs"]["name"]) for resource in _containers(resources)}
    for found, verb in (("stopped", "was stopped"), ("gone", "was removed")):
        for container in lost.get(found, ()):
            progress.line(f"{names[container]} {verb} since the last run, and is restored.")
    return bool(lost.get("stopped") or lost.get("gone"))


def write_files(
    stack: str,
    settings: Settings,
    lost: Mapping[str, Any],
    with_secrets: Callable[[], state.Resources],
    progress: Progress,
) -> None:
    """Write again the missing and the edited files that the state has, also of a container whose replacement failed.

    Secrets are decrypted for this alone; they go from the state to the verb's stdin.
    """
    missing = {str(entry["path"]): str(entry["container"]) for entry in lost.get("missing", ())}
    edited = [str(path) for path in lost.get("edited", ())]
    for document in _files(with_secrets()) if missing or edited else ():
        folder = str(document["folder"])
        found = [path for path in missing if lies_in(path, folder)]
        changed = [path for path in edited if lies_in(path, folder)]
        if found or changed:
            host.run(stack, settings, "files", "write", document)
        if found:
            progress.line(f"{folder} lacked files on the host, which have been written again.")
        for path in changed:
            progress.line(
                f"{path} was edited on the host and has been written again; its container reads it at a start."
            )
            edited.remove(path)
        for path in found:
            del missing[path]
    for path, container in missing.items():
        progress.line(
            f"{_missing(path, container)}, and the state does not have it: put it back, or remove what needs it."
        )


def missing_files(lost: Mapping[str, Any]) -> list[str]:
    """A sentence for each missing or edited file or folder, for `make status`."""
    return [
        f"{_missing(entry['path'], entry['container'])}: `make up` writes it again" for entry in lost.get("missing", ())
    ] + [f"{path} was edited on the host: `make up` writes it again" for path in lost.get("edited", ())]


def _missing(path: str, container: str) -> str:
    mounted = f", and {container}, which mounts it, cannot start again" if container else ""
    return f"{path} is missing on the host{mounted}"


def _files(resources: state.Resources) -> list[dict[str, Any]]:
    """The request of each `files write` in a state with plain secrets; today's before a replaced one of the folder."""
    ordered = sorted(resources, key=lambda resource: bool(resource.get("delete")))
    inputs = [cast("Mapping[str, Any]", resource.get("inputs") or {}) for resource in ordered]
    writing = [known for known in inputs if str(known.get("create", "")).endswith(" files write")]
    requests = [state.document_of(known.get("stdin")) for known in writing]
    return [request for request in requests if request is not None]


def _containers(resources: state.Resources) -> list[state.Resource]:
    return [
        resource
        for resource in resources
        if resource["type"] == "docker:index/container:Container" and resource.get("id") and not resource.get("delete")
    ]
