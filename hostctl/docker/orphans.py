"""`orphans remove`: containers and networks that Docker made for a run that was killed before the engine recorded them.

An orphan is not in the state, has the name of a create that the killed run had begun, and was made since that run
began. Deliberately does not: touch a container that publishes a port or runs beside the port's holder, a network that a
container uses, or a volume; what is ours and stays is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hostctl.core.documents import rows
from hostctl.core.timestamps import seconds_of
from hostctl.docker import containers
from hostctl.docker.engine import Engine
from hostctl.docker.users import is_ours, name_of, networks, users


@dataclass(frozen=True)
class OrphansRequest:
    """`known` are the ids in the state, `networks` our networks' names, `pending` the names of the begun creates.

    `began` is the killed run's start in seconds since 1970; nothing is removed where it is not known (0).
    """

    known: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    began: int = 0
    port: int = 0
    docker_socket: str = ""

    def is_of_the_run(self, name: str, made: float) -> bool:
        """True for what the killed run made, by its name and the time it was made."""
        return name in self.pending and 0 < self.began <= made


def remove(request: OrphansRequest) -> dict[str, Any]:
    """{"removed": names, "kept": names}: remove the orphans; name what else is ours and not in the state."""
    engine, known = Engine(request.docker_socket), set(request.known)
    removed: list[str] = []
    kept: list[str] = []
    listed = containers.listed(engine)
    serving = {network for row in listed if request.port in _ports(row) for network in networks(row)}
    for row in listed:
        if not is_ours(row) or row["Id"] in known:
            continue
        name = name_of(row)
        needed = any(_ports(row)) or (row["State"] == "running" and bool(serving & networks(row)))
        if needed or not request.is_of_the_run(name, row["Created"]):
            kept.append(name)
            continue
        engine.delete(f"/containers/{row['Id']}?force=1")
        removed.append(name)
    for network in engine.get("/networks"):
        name = str(network["Name"])
        if name not in request.networks or network["Id"] in known:
            continue
        if users(engine, network=name) or not request.is_of_the_run(name, seconds_of(network["Created"])):
            kept.append(name)
            continue
        engine.delete(f"/networks/{quote(network['Id'])}")
        removed.append(name)
    return {"removed": removed, "kept": kept}


def _ports(row: dict[str, Any]) -> list[int]:
    """Not `containers.published_in`: what ended with the port, by a power cut, may be what serves next, and is kept."""
    return [int(port.get("PublicPort") or 0) for port in rows(row.get("Ports"))]
