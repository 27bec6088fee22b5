"""`networks join` and `networks leave`: the operator's own containers on the product's network.

Deliberately does not: create or remove networks, or move the gateway's port.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hostctl.core.errors import Refusal
from hostctl.docker import containers
from hostctl.docker.engine import Engine


@dataclass(frozen=True)
class Member:
    """A container by name, and its aliases on the network."""

    container: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class NetworkRequest:
    """A network and its members. A change of `containers`, their ids, or of the network's repeats the join; no verb
    reads them."""

    network: str
    members: tuple[Member, ...] = ()
    containers: tuple[str, ...] = ()
    network_id: str = ""
    docker_socket: str = ""


def join(request: NetworkRequest) -> dict[str, Any]:
    """Put each member on the network under its aliases; one that has them already stays as it is."""
    engine, network = Engine(request.docker_socket), request.network
    networks = containers.internal_networks(engine)
    if network not in networks:
        raise Refusal(f"the network {network} does not exist: create it, then run again")
    joined: list[str] = []
    already: list[str] = []
    for member in request.members:
        name = member.container
        container = containers.find(engine, name, networks)
        if container is None:
            raise Refusal(f"the container {name} does not exist, so it cannot join {network}: start it, then run again")
        attachment = next((attachment for attachment in container.attachments if attachment.network == network), None)
        if attachment is not None and set(member.aliases) <= set(attachment.aliases):
            already.append(name)
            continue
        if attachment is not None:
            engine.post(f"/networks/{quote(network)}/disconnect", {"Container": container.id})
        engine.post(
            f"/networks/{quote(network)}/connect",
            {"Container": container.id, "EndpointConfig": {"Aliases": list(member.aliases)}},
        )
        joined.append(name)
    return {"network": network, "joined": joined, "already": already}


def leave(request: NetworkRequest) -> dict[str, Any]:
    """Take each member off the network; one that is gone or not on it is not an error."""
    engine, network = Engine(request.docker_socket), request.network
    networks = containers.internal_networks(engine)
    left: list[str] = []
    already: list[str] = []
    for member in request.members:
        container = containers.find(engine, member.container, networks)
        if container is None or not container.on(network):
            already.append(member.container)
            continue
        engine.post(f"/networks/{quote(network)}/disconnect", {"Container": container.id})
        left.append(member.container)
    return {"network": network, "left": left, "already": already}
