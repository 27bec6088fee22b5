"""`orphans remove`: containers and networks that Docker made for a run that was killed before the engine recorded them.

Orphans are containers with our label, and networks of our names, that the state does not know.
Deliberately does not: touch a container that holds a port, a network that has containers, or a volume.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hostctl.core.documents import rows, table
from hostctl.docker.engine import Engine

LABEL = "sentinel-cutover"


@dataclass(frozen=True)
class OrphansRequest:
    """`known` are the ids in the state; `networks` are our networks' names."""

    known: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    docker_socket: str = ""


def remove(request: OrphansRequest) -> dict[str, Any]:
    """Remove the orphans; those in use are kept and named."""
    engine, known = Engine(request.docker_socket), set(request.known)
    removed: list[str] = []
    kept: list[str] = []
    for row in engine.get("/containers/json?all=1"):
        if table(row.get("Labels")).get(LABEL) != "true" or row["Id"] in known:
            continue
        name = str(row["Names"][0]).lstrip("/")
        if any(port.get("PublicPort") for port in rows(row.get("Ports"))):
            kept.append(name)
            continue
        engine.delete(f"/containers/{row['Id']}?force=1")
        removed.append(name)
    for network in engine.get("/networks"):
        if network["Name"] not in request.networks or network["Id"] in known:
            continue
        if table(engine.get(f"/networks/{quote(network['Id'])}").get("Containers")):
            kept.append(network["Name"])
            continue
        engine.delete(f"/networks/{quote(network['Id'])}")
        removed.append(network["Name"])
    return {"removed": removed, "kept": kept}
