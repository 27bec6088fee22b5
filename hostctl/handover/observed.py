"""The containers and networks of a handover, read once before anything is decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hostctl.core.documents import table
from hostctl.docker import containers
from hostctl.docker.containers import GATEWAY_ROLE, ROLE_LABEL, Container
from hostctl.docker.engine import Engine
from hostctl.handover import standby
from hostctl.handover.request import HandoverRequest, RecordedContainer
from hostctl.handover.standby import StandbyEndpoint
from hostctl.host import port_holder
from hostctl.host.port_holder import NOBODY, PortHolder

KEEPS_INTERNAL = (1, 45)
"""The API of Docker 26, measured as one that publishes nothing on an internal network; 20.10 with 1.41 does."""


@dataclass(frozen=True)
class World:
    """`sentinel` is the request's container; `gateways` are all of Sentinel's containers that declare the port, it
    included; `unknown_owner` publishes the port and is none of ours; `networks` maps each network's name to whether it
    is internal. `standby` is the predecessor's own endpoint on its standby network, empty before there is one;
    `republishes` is true of a Docker that may publish ports on an internal network (`withdrawal`)."""

    sentinel: Container | None = None
    predecessor: Container | None = None
    siblings: tuple[Container, ...] = ()
    gateways: tuple[Container, ...] = ()
    unknown_owner: Container | None = None
    networks: Mapping[str, bool] = field(default_factory=lambda: dict[str, bool]())
    standby: StandbyEndpoint = field(default_factory=StandbyEndpoint)
    republishes: bool = True

    def gateway(self, identifier: str) -> Container | None:
        return next((container for container in self.gateways if container.id == identifier), None)

    def holder(self, port: int) -> PortHolder:
        """The gateway that publishes the port, Sentinel's or the predecessor."""
        ours = [*self.gateways, *([self.predecessor] if self.predecessor else [])]
        return port_holder.among(ours, port, self.predecessor.id if self.predecessor else "")

    def intruder(self, port: int) -> PortHolder:
        """The unknown owner that has the port: a container, or a process where no gateway publishes it."""
        unknown = port_holder.among([self.unknown_owner] if self.unknown_owner else [], port, "")
        if unknown.kind == NOBODY and self.holder(port).kind == NOBODY:
            return port_holder.find([], port, "")
        return unknown


def read(engine: Engine, request: HandoverRequest) -> World:
    """The world now; raises DockerError."""
    networks = containers.internal_networks(engine)
    sentinel = containers.find(engine, request.container, networks)
    recorded = request.predecessor.server
    predecessor = _recorded(engine, recorded, networks) if recorded else None
    gateways: list[Container] = [sentinel] if sentinel else []
    unknown_owner: Container | None = None
    for row in containers.listed(engine):
        if row["Id"] in [known.id for known in (sentinel, predecessor) if known]:
            continue
        is_gateway = table(row.get("Labels")).get(ROLE_LABEL) == GATEWAY_ROLE
        publishes = request.port in containers.published_in(row)
        container = containers.find(engine, row["Id"], networks) if is_gateway or publishes else None
        if container is None or not (publishes or container.inside_port(request.port)):
            continue
        if is_gateway:
            gateways.append(container)
        else:
            unknown_owner = container
    siblings = [_recorded(engine, sibling, networks) for sibling in request.predecessor.siblings]
    present = tuple(sibling for sibling in siblings if sibling is not None)
    return World(
        sentinel, predecessor, present, tuple(gateways), unknown_owner, networks,
        standby.endpoint(engine, request), engine.speaks < KEEPS_INTERNAL,
    )  # fmt: skip


def _recorded(engine: Engine, recorded: RecordedContainer, networks: dict[str, bool]) -> Container | None:
    # By name first: compose may have made it again under another id since.
    return containers.find(engine, recorded.name, networks) or containers.find(engine, recorded.id, networks)
