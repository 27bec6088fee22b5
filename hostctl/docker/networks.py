"""`networks join` and `networks leave`: the operator's own containers on the product's network.

Owns: membership of the listed containers. Deliberately does not: make or remove networks, or move the gateway's port.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.docker import containers
from hostctl.docker.engine import Engine


def join(document: Document) -> dict[str, Any]:
    """Put each member on the network under its aliases; one that is there under them stays as it is."""
    engine, network, networks = _read(document)
    joined: list[str] = []
    already: list[str] = []
    for member in document.objects("members"):
        name, aliases = member.text("container"), member.texts("aliases")
        container = containers.find(engine, name, networks)
        if container is None:
            raise Refusal(f"the container {name} does not exist, so it cannot join {network}: start it, then run again")
        here = next((found for found in container.attachments if found.network == network), None)
        if here is not None and set(aliases) <= set(here.aliases):
            already.append(name)
            continue
        if here is not None:
            engine.post(f"/networks/{quote(network)}/disconnect", {"Container": container.id})
        engine.post(
            f"/networks/{quote(network)}/connect",
            {"Container": container.id, "EndpointConfig": {"Aliases": aliases}},
        )
        joined.append(name)
    return {"network": network, "joined": joined, "already": already}


def leave(document: Document) -> dict[str, Any]:
    """Take each member off the network; one that is gone or not on it is no error."""
    engine = Engine(document.text("docker_socket"))
    network = document.text("network")
    networks = containers.internal_networks(engine)
    left: list[str] = []
    already: list[str] = []
    for member in document.objects("members"):
        name = member.text("container")
        container = containers.find(engine, name, networks)
        if container is None or not container.on(network):
            already.append(name)
            continue
        engine.post(f"/networks/{quote(network)}/disconnect", {"Container": container.id})
        left.append(name)
    return {"network": network, "left": left, "already": already}


def _read(document: Document) -> tuple[Engine, str, dict[str, bool]]:
    engine, network = Engine(document.text("docker_socket")), document.text("network")
    networks = containers.internal_networks(engine)
    if network not in networks:
        raise Refusal(f"the network {network} does not exist: create it, then run again")
    return engine, network, networks
