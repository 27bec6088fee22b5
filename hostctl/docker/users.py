"""The containers, running or not, that use a path, a network, an image or a volume: it is not removed while one does.

Docker itself lets go of a network and an image that only a stopped container uses, which then cannot start again.
Source: Engine API, "List containers": `Mounts`, `NetworkSettings` and `ImageID` of every container.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from hostctl.core.documents import rows, table
from hostctl.docker import containers
from hostctl.docker.engine import Engine


def users(engine: Engine, *, path: str = "", network: str = "", image: str = "", volume: str = "") -> list[str]:
    """Names of the containers that use any of these, sorted.

    A network goes by its name: Docker lists no id of it for a container that was never started. A path is used by a
    container that mounts it, or a file or folder in it: such a one cannot start again without it.
    """
    found = containers.listed(engine)
    return sorted(
        name_of(row)
        for row in found
        if (path and any(_holds(path, source) for source in sources(row)))
        or (network and network in networks(row))
        or (image and image in (row.get("Image"), row.get("ImageID")))
        or (volume and volume in (mount.get("Name") for mount in rows(row.get("Mounts"))))
    )


def missing_mounts(listed: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """(container, path on the host) of each mount of a listed container of ours whose source does not exist."""
    return sorted(
        (name_of(row), source) for row in listed if is_ours(row) for source in sources(row) if is_missing(source)
    )


def is_missing(path: str) -> bool:
    """True only where the path certainly does not exist; this user need not be allowed to read its folder."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def is_ours(row: dict[str, Any]) -> bool:
    """True for a container of this product, as Docker lists it."""
    return table(row.get("Labels")).get(containers.OURS) == "true"


def name_of(row: dict[str, Any]) -> str:
    """A listed container's name."""
    return str(row["Names"][0]).lstrip("/") if row.get("Names") else str(row["Id"])[:12]


def sources(row: dict[str, Any]) -> list[str]:
    """The paths on the host that a container mounts, given in Docker's list or in `docker inspect`."""
    return [str(mount.get("Source") or "") for mount in rows(row.get("Mounts")) if mount.get("Type") == "bind"]


def networks(row: dict[str, Any]) -> set[str]:
    """The names of the networks that a listed container is on, or will be once it starts."""
    return set(table(table(row.get("NetworkSettings")).get("Networks")))


def lies_in(path: str, folder: str) -> bool:
    """True where the path is the folder or lies in it, by name."""
    return f"{path}/".startswith(f"{folder.rstrip('/')}/")


def _holds(path: str, source: str) -> bool:
    """True where the source is the path or lies in it, by name or once links are followed."""
    return any(lies_in(known(source), known(path)) for known in (os.path.normpath, os.path.realpath))
