"""The inventory of ContextForge on the host, each part with its size, and what stays although compose made it.

A backend's own container stays, with its image and its volumes; a network that another container is on stays; an image
that another container runs stays. Sizes are Docker's own: what a container wrote, an image with all its layers.
Deliberately does not: change anything.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from hostctl.core.documents import rows, table
from hostctl.docker import containers
from hostctl.docker.containers import PROJECT_LABEL, ROLE_LABEL, STANDBY_ROLE, Container
from hostctl.docker.engine import Engine
from hostctl.retire.request import RetireRequest

BUILT_IN = ("bridge", "host", "none")
FOLDER_LABEL = "com.docker.compose.project.working_dir"
FILES = ("docker-compose*.y*ml", "compose*.y*ml", ".env", ".env.*")
"""The files that start ContextForge again, or hold its secrets. Any other file in its folder is the operator's."""

Inventory = dict[str, list[dict[str, Any]]]


def read(engine: Engine, request: RetireRequest) -> Inventory:
    """{"containers", "networks", "images", "volumes", "files", "sidecars", "kept", "stale"}, each a list of objects."""
    present = containers.everything(engine)
    keeps, project = set(request.keeps), request.project
    gateway = next((container for container in present if container.name == request.gateway), None)
    project = gateway.project if gateway is not None and gateway.project else project
    members = [container for container in present if container.project == project or container is gateway]
    going = [container for container in members if container.name not in keeps]
    sidecars = sorted(
        (container for container in present if container.name in keeps), key=lambda container: container.name
    )
    staying = [container for container in present if container not in going]
    named = {str(network["Name"]): network for network in engine.get("/networks")}
    own = set(request.networks)
    # Whoever else is on the standby network was put there by the handover.
    standby = {name for name, network in named.items() if table(network.get("Labels")).get(ROLE_LABEL) == STANDBY_ROLE}
    theirs = (_networks(named, going, project) | standby) - own
    kept = {name: [] if name in standby else _others(name, staying, sidecars) for name in sorted(theirs)}
    leaving = {name for name, others in kept.items() if not others}
    return {
        "containers": _containers(engine, going),
        "networks": [{"name": name, "id": named[name]["Id"]} for name in sorted(leaving)],
        "images": _images(engine, going, staying),
        "volumes": _volumes(engine, going, staying, project),
        "files": _files(engine, going, request),
        "sidecars": [
            _sidecar(container, leaving) for container in sidecars if any(container.on(name) for name in leaving)
        ],
        "kept": [{"name": name, "because": f"{', '.join(others)} is on it"} for name, others in kept.items() if others],
        "stale": _stale(named, present, own | theirs),
    }


def _networks(named: dict[str, Any], going: Sequence[Container], project: str) -> set[str]:
    """The networks that compose made for the project, and those that its containers are on."""
    labelled = {name for name, network in named.items() if table(network.get("Labels")).get(PROJECT_LABEL) == project}
    attached = {attachment.network for container in going for attachment in container.attachments}
    return (labelled | (attached & set(named))) - set(BUILT_IN)


def _others(network: str, staying: Sequence[Container], sidecars: Sequence[Container]) -> list[str]:
    """The other containers on it; a sidecar is moved off."""
    return sorted(container.name for container in staying if container.on(network) and container not in sidecars)


def _sidecar(container: Container, leaving: set[str]) -> dict[str, Any]:
    """`egress` is true when it still has a network that is not internal after it left."""
    on = sorted(attachment.network for attachment in container.attachments if attachment.network in leaving)
    others = [
        attachment
        for attachment in container.attachments
        if attachment.network not in leaving and not attachment.internal
    ]
    return {
        "name": container.name,
        "id": container.id,
        "networks": on,
        "aliases": {
            attachment.network: list(attachment.aliases)
            for attachment in container.attachments
            if attachment.network in leaving
        },
        "egress": bool(others),
    }


def _containers(engine: Engine, going: Sequence[Container]) -> list[dict[str, Any]]:
    sizes = {row["Id"]: int(row.get("SizeRw") or 0) for row in engine.get("/containers/json?all=1&size=1")}
    return [{"name": container.name, "id": container.id, "bytes": sizes.get(container.id, 0)} for container in going]


def _images(engine: Engine, going: Sequence[Container], staying: Sequence[Container]) -> list[dict[str, Any]]:
    images: list[dict[str, Any]] = []
    for identifier in sorted({container.image for container in going} - {container.image for container in staying}):
        image = table(engine.find(f"/images/{quote(identifier)}/json"))
        if image:
            name = next(iter(rows(image.get("RepoTags"))), identifier[:19])
            images.append({"name": name, "id": identifier, "bytes": int(image.get("Size") or 0)})
    return images


def _volumes(
    engine: Engine, going: Sequence[Container], staying: Sequence[Container], project: str
) -> list[dict[str, Any]]:
    """The going containers' volumes and those that compose made for the project, without what another one mounts."""
    usage = rows(table(engine.get("/system/df")).get("Volumes"))
    sizes = {str(row["Name"]): max(0, int(table(row.get("UsageData")).get("Size") or 0)) for row in usage}
    labelled = {
        str(volume["Name"])
        for volume in rows(table(engine.get("/volumes")).get("Volumes"))
        if table(volume.get("Labels")).get(PROJECT_LABEL) == project
    }
    mounted = {name for container in going for name in container.volumes}
    kept = {name for container in staying for name in container.volumes}
    return [{"name": name, "bytes": sizes.get(name, 0)} for name in sorted((labelled | mounted) - kept)]


def _files(engine: Engine, going: Sequence[Container], request: RetireRequest) -> list[dict[str, Any]]:
    """The compose files and their `.env`, in the folder that compose noted, else below the operator's home."""
    folders: list[str] = []
    for container in going:
        labels = table(table(table(engine.find(f"/containers/{container.id}/json")).get("Config")).get("Labels"))
        folders += [str(labels[FOLDER_LABEL])] if labels.get(FOLDER_LABEL) else []
    folders.append(os.path.join(request.home, request.project))
    folder = next((path for path in folders if os.path.isdir(path)), "")
    paths = sorted({path for name in FILES for path in glob.glob(os.path.join(glob.escape(folder), name))})
    return [{"path": path, "bytes": os.path.getsize(path)} for path in paths if folder and os.path.isfile(path)]


def _stale(named: dict[str, Any], present: Sequence[Container], known: set[str]) -> list[dict[str, Any]]:
    """Networks that are none of ours and that no container is on, running or not."""
    used = {attachment.network for container in present for attachment in container.attachments}
    return [
        {"name": name, "id": network["Id"]}
        for name, network in sorted(named.items())
        if name not in used | known and name not in BUILT_IN and network.get("Scope") == "local"
    ]
