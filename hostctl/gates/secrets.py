"""`gates secrets`: the standby container's secret files, none of which may be empty.

With an empty JWT secret the gateway takes every client for an admin, and with an empty database address it writes no
audit row (`reference/sentinel-behaviour.md`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hostctl.core.documents import rows, table
from hostctl.core.errors import Refusal
from hostctl.docker.engine import Engine

FOLDER = "/run/secrets/"


@dataclass(frozen=True)
class SecretsRequest:
    """The standby container, whose mounts below /run/secrets are its secrets."""

    container: str
    docker_socket: str = ""


def secrets(request: SecretsRequest) -> dict[str, Any]:
    """{"files": [names]}; raises Refusal for one that is empty or cannot be read."""
    document = Engine(request.docker_socket).find(f"/containers/{quote(request.container, safe='')}/json")
    if document is None:
        raise Refusal(f"the container {request.container[:12]} does not exist: create it, then run again")
    mounts = [table(mount) for mount in rows(document.get("Mounts"))]
    files = {
        str(mount["Destination"])[len(FOLDER) :]: Path(str(mount["Source"]))
        for mount in mounts
        if str(mount.get("Destination")).startswith(FOLDER)
    }
    for name, file in sorted(files.items()):
        if _is_empty(name, file):
            raise Refusal(f"the secret file {name} is empty: write {file} again by 'make up', or set its secret")
    return {"files": sorted(files)}


def _is_empty(name: str, file: Path) -> bool:
    try:
        return not file.read_bytes().strip()
    except OSError as error:
        raise Refusal(f"the secret file {name} cannot be read ({error.strerror}): {file} is mounted") from None
