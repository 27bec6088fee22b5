"""The predecessor's standby network: an internal one of ours, with everything that its gateway talks to.

Owns: the network, made when it is first needed, and its members under the names that the gateway knows. They stay on it
while the predecessor serves, since its connections to them run over it after a rollback.
Deliberately does not: move the gateway itself, start a container, or touch the operator's networks.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hostctl.core.documents import rows, table
from hostctl.core.errors import Refusal
from hostctl.docker import containers, networks
from hostctl.docker.containers import GATEWAY_ROLE, ROLE_LABEL, STANDBY_ROLE, Container
from hostctl.docker.engine import DockerError, Engine
from hostctl.docker.networks import Member, NetworkRequest
from hostctl.handover.request import HandoverRequest
from hostctl.handover.rollback_gates import Place

BUILT_IN = ("bridge", "host", "none")
SUBNET_LABEL = "sentinel-cutover.subnet"


@dataclass(frozen=True)
class StandbyEndpoint:
    """The predecessor's address on the network, the last one there, which Docker gives to nobody by itself, and its
    links to the others."""

    address: str = ""
    links: tuple[str, ...] = ()


def ensure(engine: Engine, request: HandoverRequest) -> None:
    """Make the network and its members' places; raises Refusal, and then no gateway has been touched."""
    if request.predecessor.server is None:
        return
    _ensure_network(engine, request.standby)
    members = members_of(request, containers.everything(engine))
    networks.join(NetworkRequest(request.standby, members, docker_socket=engine.path))


def members_of(request: HandoverRequest, present: Sequence[Container]) -> tuple[Member, ...]:
    """Every container that shares a network with the predecessor's gateway; raises Refusal where two have one name."""
    shared = {network.name for network in request.predecessor.gateway.networks} - set(BUILT_IN)
    gateway = next((container for container in present if container.name == request.predecessor.gateway.name), None)
    project = gateway.project if gateway else ""
    peers = [
        container
        for container in present
        if container is not gateway
        and container.role != GATEWAY_ROLE
        and any(attachment.network in shared for attachment in container.attachments)
    ]
    # The gateway's own project first: a name of it stays with it.
    peers.sort(key=lambda container: (container.project != project, container.name))
    owners: dict[str, Container] = {}
    for peer in peers:
        for name in _names(peer, shared):
            other = owners.setdefault(name, peer)
            if _service(other) != _service(peer) and other.project != project:
                raise Refusal(
                    f"{other.name} and {peer.name} are both called {name} on the networks of "
                    f"{request.predecessor.gateway.name}, so it would not reach the right one in standby: rename one "
                    "of them, then run again"
                )
    return tuple(
        Member(peer.name, tuple(n for n in _names(peer, shared) if _service(owners[n]) == _service(peer)))
        for peer in peers
    )


def place(predecessor: Container, request: HandoverRequest) -> Place:
    """The address at which the host reaches the predecessor in standby; raises Refusal where it has none."""
    address = predecessor.address_on(request.standby)
    if not address:
        raise Refusal(
            f"{predecessor.name} is not in standby on the network {request.standby}: start it there by "
            "'make rollback', or see 'docker logs' where it ended"
        )
    path = request.predecessor_probe.path
    return Place(address, predecessor.inside_port(request.port), request.port, path)


def endpoint(engine: Engine, request: HandoverRequest) -> StandbyEndpoint:
    """The predecessor's own; empty while there is no such network."""
    found = _find(engine, request.standby)
    subnet = table(found.get("Labels")).get(SUBNET_LABEL) if found and _is_ours(found) else None
    if not subnet:
        return StandbyEndpoint()
    members = [
        table(member)["Name"]
        for member in table(engine.get(f"/networks/{quote(request.standby)}")["Containers"]).values()
    ]
    peers = [found for name in sorted(members) if (found := containers.find(engine, name, {})) is not None]
    return StandbyEndpoint(str(ipaddress.ip_network(subnet).broadcast_address - 1), links_to(peers, request))


def links_to(peers: Sequence[Container], request: HandoverRequest) -> tuple[str, ...]:
    """Docker's links to each of them, such as "forge-db-1:postgres"; a name that several have needs none."""
    named = [
        (peer.name, alias)
        for peer in peers
        for attachment in peer.attachments
        if attachment.network == request.standby and peer.name != request.predecessor.gateway.name
        for alias in attachment.aliases
    ]
    owners = Counter(alias for _, alias in named)
    return tuple(f"{name}:{alias}" for name, alias in named if owners[alias] == 1)


def _ensure_network(engine: Engine, name: str) -> None:
    found = _find(engine, name)
    if found is not None:
        if not _is_ours(found) or not found.get("Internal"):
            raise Refusal(
                f"the network {name} is not the one that the handover makes: remove it ('docker network rm {name}'), "
                "then run again"
            )
        return
    # Only a network with a configured subnet takes a wish for an address: Docker chooses one that is free, and it is
    # configured as the network's own.
    made = _create(engine, name, "")
    subnet = str(rows(table(engine.get(f"/networks/{made}").get("IPAM")).get("Config"))[0]["Subnet"])
    engine.delete(f"/networks/{made}")
    _create(engine, name, subnet)


def _create(engine: Engine, name: str, subnet: str) -> str:
    labels = {ROLE_LABEL: STANDBY_ROLE, **({SUBNET_LABEL: subnet} if subnet else {})}
    configured = {"IPAM": {"Config": [{"Subnet": subnet}]}} if subnet else {}
    body = {"Name": name, "Internal": True, "CheckDuplicate": True, "Labels": labels, **configured}
    try:
        return engine.post("/networks/create", body)["Id"]
    except DockerError as error:
        if "address pool" not in str(error) and "fully subnetted" not in str(error):
            raise
        raise Refusal(
            f"Docker has no free address range for the network {name}: remove networks that nothing uses ('docker "
            "network prune') or widen default-address-pools in /etc/docker/daemon.json, then run again"
        ) from None


def _find(engine: Engine, name: str) -> dict[str, Any] | None:
    return next((network for network in engine.get("/networks") if network["Name"] == name), None)


def _is_ours(network: dict[str, Any]) -> bool:
    return table(network.get("Labels")).get(ROLE_LABEL) == STANDBY_ROLE


def _names(peer: Container, shared: set[str]) -> tuple[str, ...]:
    aliases = [alias for a in peer.attachments if a.network in shared for alias in a.aliases]
    return tuple(dict.fromkeys([peer.name, *([peer.service] if peer.service else []), *aliases]))


def _service(container: Container) -> tuple[str, str]:
    """Replicas of a service share its name on purpose."""
    return container.project, container.service or container.name
