"""The world of a handover, read once before it is decided what to do.

Owns: `World` and reading it. Deliberately does not: decide or change anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hostctl.core.documents import rows, table
from hostctl.docker import containers
from hostctl.docker.containers import GATEWAY_ROLE, ROLE_LABEL, Container
from hostctl.docker.engine import Engine
from hostctl.handover.request import RecordedContainer, Request


@dataclass(frozen=True)
class World:
    """Who is there and who has the port.

    `sentinel` is the request's container; `gateways` are all of Sentinel's containers that declare the port,
    it included; `stranger` holds the port and is none of ours; `networks` tells of each network whether it is internal.
    """

    sentinel: Container | None = None
    predecessor: Container | None = None
    others: tuple[Container, ...] = ()
    gateways: tuple[Container, ...] = ()
    stranger: Container | None = None
    networks: Mapping[str, bool] = field(default_factory=lambda: dict[str, bool]())

    def gateway(self, identifier: str) -> Container | None:
        return next((container for container in self.gateways if container.id == identifier), None)

    def holder(self, port: int) -> Container | None:
        """The container of ours that publishes the port."""
        ours = [*self.gateways, *([self.predecessor] if self.predecessor else [])]
        return next((container for container in ours if container.publishes(port)), None)


def read(engine: Engine, request: Request) -> World:
    """The world now; raises DockerError."""
    networks = containers.internal_networks(engine)
    listed = containers.listed(engine)
    sentinel = containers.find(engine, request.container, networks)
    recorded = request.predecessor.gateway
    predecessor = _recorded(engine, recorded, networks) if recorded else None
    gateways: list[Container] = [sentinel] if sentinel else []
    stranger: Container | None = None
    for short in listed:
        known = [container.id for container in gateways] + ([predecessor.id] if predecessor else [])
        if short["Id"] in known:
            continue
        role = table(short.get("Labels")).get(ROLE_LABEL)
        holds = any(port.get("PublicPort") == request.port for port in rows(short.get("Ports")))
        if role != GATEWAY_ROLE and not holds:
            continue
        container = containers.find(engine, short["Id"], networks)
        if container is None or not (holds or container.inside_port(request.port)):
            continue
        if role == GATEWAY_ROLE:
            gateways.append(container)
        else:
            stranger = container
    others = [_recorded(engine, other, networks) for other in request.predecessor.others]
    present = tuple(other for other in others if other is not None)
    return World(sentinel, predecessor, present, tuple(gateways), stranger, networks)


def _recorded(engine: Engine, recorded: RecordedContainer, networks: dict[str, bool]) -> Container | None:
    # By name first: compose may have made it again under another id since.
    return containers.find(engine, recorded.name, networks) or containers.find(engine, recorded.id, networks)
