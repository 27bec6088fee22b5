"""`docker presence`: what the host lost and the engine does not see: containers of the state that are stopped or gone,
sources of mounts that are missing, folders of files that are missing, and files that were edited.

Deliberately does not: start or remove a container; the engine does, after a refresh. Or write a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hostctl.docker import containers
from hostctl.docker.engine import Engine
from hostctl.docker.users import is_missing, lies_in, missing_mounts
from hostctl.files import sums


@dataclass(frozen=True)
class PresenceRequest:
    """`running` are the ids of containers that must run, `existing` of those that need only exist; `folders` are the
    folders of files that the state has."""

    running: tuple[str, ...] = ()
    existing: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    docker_socket: str = ""


def presence(request: PresenceRequest) -> dict[str, Any]:
    """{"stopped": [ID …], "gone": [ID …], "missing": [{"path", "container"} …], "edited": [PATH …]}, without a
    container for a folder that none of ours mounts."""
    listed = containers.listed(Engine(request.docker_socket))
    states = {found["Id"]: found["State"] for found in listed}
    mounted = missing_mounts(listed)
    alone = [
        folder
        for folder in request.folders
        if is_missing(folder) and not any(lies_in(path, folder) for _, path in mounted)
    ]
    stopped = [known for known in request.running if states.get(known, "running") in ("created", "exited", "dead")]
    return {
        "stopped": stopped,
        "gone": [known for known in (*request.running, *request.existing) if known not in states],
        "missing": [
            *({"path": path, "container": container} for container, path in mounted),
            *({"path": folder, "container": ""} for folder in alone),
        ],
        "edited": [path for folder in request.folders if not is_missing(folder) for path in sums.edited(folder)],
    }
