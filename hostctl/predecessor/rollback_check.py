"""`rollback check`: everything that a rollback starts must be on the host, before anything is changed.

Deliberately does not: change anything, or load an image.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from hostctl import retire
from hostctl.core.documents import table
from hostctl.core.errors import Refusal
from hostctl.docker import containers
from hostctl.docker.engine import Engine
from hostctl.handover import preconditions
from hostctl.handover.request import PredecessorRecord, RecordedContainer


@dataclass(frozen=True)
class RollbackCheckRequest:
    """The images that the rollback starts, and the predecessor's record. `retired_folder` is the product's folder where
    the rollback leads to ContextForge, which may have been retired."""

    images: tuple[str, ...] = ()
    predecessor: PredecessorRecord = field(default_factory=PredecessorRecord)
    retired_folder: str = ""
    docker_socket: str = ""


def check(request: RollbackCheckRequest) -> dict[str, Any]:
    """{"images", "predecessor"}: the images and containers found; raises Refusal that names what is gone."""
    _refuse_retired(request.retired_folder)
    engine, record = Engine(request.docker_socket), request.predecessor
    for image in request.images:
        if engine.find(f"/images/{quote(image)}/json") is None:
            raise Refusal(
                f"the image {image} is gone from the host: load it again ('docker pull {image}' or 'docker load')"
            )
    for container in record.containers:
        _refuse_without(engine, container)
    networks = containers.internal_networks(engine)
    preconditions.refuse_taken_address(engine, record.gateway)
    for network in record.gateway.networks:
        if network.name not in networks:
            raise Refusal(
                f"the predecessor's network {network.name} is gone: create it ('docker network create {network.name}')"
            )
    for volume in record.volumes:
        if engine.find(f"/volumes/{quote(volume)}") is None:
            raise Refusal(f"the predecessor's volume {volume} is gone: restore it")
    return {"images": list(request.images), "predecessor": [container.name for container in record.containers]}


def _refuse_retired(folder: str) -> None:
    retirement = retire.recorded(folder) if folder else {}
    if retirement.get("begun_at"):
        time = retirement.get("removed_at") or retirement["begun_at"]
        dump = table(table(retirement.get("kept")).get("dump")).get("path")
        raise Refusal(
            f"ContextForge was retired at {time}, its last dump is kept as {dump}: choose another update, or set "
            "active to contextforge by hand to leave the port to nobody"
        )


def _refuse_without(engine: Engine, recorded: RecordedContainer) -> None:
    name = recorded.name
    # By name first: compose may have made it again under another id since.
    container = containers.find(engine, name) or containers.find(engine, recorded.id, {})
    if container is None:
        raise Refusal(
            f"the predecessor's container {name} is gone: bring it back ('docker compose up --no-start' in its folder)"
        )
    if engine.find(f"/images/{quote(container.image)}/json") is None:
        raise Refusal(
            f"the image of the predecessor's container {name} ({container.image[:19]}) is gone: load it again"
        )
