"""`stack objects`: Docker's objects of this product by name and id, from which a lost state is rebuilt.

Deliberately does not: list an object without our label or name, or change one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hostctl.core.documents import table
from hostctl.docker import containers
from hostctl.docker.containers import GATEWAY_ROLE, ROLE_LABEL
from hostctl.docker.engine import Engine
from hostctl.docker.users import is_ours, name_of


@dataclass(frozen=True)
class ObjectsRequest:
    """The names of the networks, volumes and images that the stack declares."""

    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    docker_socket: str = ""


def objects(request: ObjectsRequest) -> dict[str, Any]:
    """{"containers": [{"name", "id", "image", "gateway", "serves"}], and the ids of the rest by name}.

    An object that is not on the host is left out.
    """
    engine = Engine(request.docker_socket)
    found = {network["Name"]: network["Id"] for network in engine.get("/networks")}
    volumes = [name for name in request.volumes if engine.find(f"/volumes/{quote(name, safe='')}")]
    images = {name: table(engine.find(f"/images/{quote(name)}/json")).get("Id") for name in request.images}
    return {
        "containers": [
            {
                "name": name_of(row),
                "id": row["Id"],
                "image": row["ImageID"],
                "gateway": table(row.get("Labels")).get(ROLE_LABEL) == GATEWAY_ROLE,
                "serves": bool(containers.published_in(row)),
            }
            for row in containers.listed(engine)
            if is_ours(row)
        ],
        "networks": {name: found[name] for name in request.networks if name in found},
        "volumes": {name: name for name in volumes},
        "images": {name: identifier for name, identifier in images.items() if identifier},
    }
