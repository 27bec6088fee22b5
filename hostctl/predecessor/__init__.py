"""`predecessor record` and `predecessor check`: the gateway before the cutover, and what its rollback needs.

The check repeats the record's inspection right before the cutover, since a record may be days old by then.
Deliberately does not: change anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hostctl.core import requests
from hostctl.core.documents import Document, table
from hostctl.core.errors import Refusal
from hostctl.docker import containers
from hostctl.docker.containers import STANDBY_ROLE, Container
from hostctl.docker.engine import Engine
from hostctl.handover.journal import Journal
from hostctl.handover.request import KINDS, PredecessorRecord, RecordedContainer, RecordedNetwork, RecordedPort
from hostctl.host import port_holder
from hostctl.host.port_holder import UNKNOWN_OWNER


@dataclass(frozen=True)
class PredecessorRequest:
    """`kind` is "contextforge" or "absent". With the handover's `folder` a predecessor that is out of service now is
    recorded as its journal describes it."""

    kind: str
    port: int
    gateway: str = ""
    project: str = ""
    folder: str = ""
    docker_socket: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise Refusal('\'kind\' must be "contextforge" or "absent"')


def record(request: PredecessorRequest) -> dict[str, Any]:
    """The predecessor as it is, or as it was before an earlier handover; raises Refusal when it could not come back."""
    engine = Engine(request.docker_socket)
    networks = containers.networks_of_role(engine, STANDBY_ROLE)
    present = [container.without(networks) for container in containers.everything(engine)]
    if request.kind == "absent":
        _refuse_unknown_owner(present, request.port, "")
        return requests.write(PredecessorRecord(port=request.port))
    gateway = _gateway(present, request)
    _refuse_without_published_port(present, gateway, request.port)
    _refuse_unknown_owner(present, request.port, gateway.id)
    project = in_dependency_order([c for c in present if c.project and c.project == gateway.project] or [gateway])
    _refuse_without_rollback(engine, project)
    recorded = _earlier(request, gateway) or _recorded(gateway)
    return requests.write(
        PredecessorRecord(
            kind=request.kind,
            gateway=recorded,
            containers=tuple(recorded if c.id == gateway.id else _recorded(c) for c in project),
            volumes=tuple(sorted({volume for container in project for volume in container.volumes})),
            port=request.port,
        )
    )


def check(request: PredecessorRequest) -> dict[str, Any]:
    """The names of what a rollback would start; raises Refusal like `record`. A predecessor out of service passes."""
    recorded = record(request)
    names = [container["name"] for container in recorded["containers"]]
    return {"kind": recorded["kind"], "port": recorded["port"], "containers": names}


def in_dependency_order(project: Sequence[Container]) -> list[Container]:
    """Each container after those that it depends on (compose's label), by name where that leaves a choice."""
    waiting = sorted(project, key=lambda container: container.name)
    ordered: list[Container] = []
    while waiting:
        missing = {container.service for container in waiting}
        ready = [c for c in waiting if not (set(c.depends_on) & missing - {c.service})] or waiting[:1]
        ordered += ready
        waiting = [container for container in waiting if container not in ready]
    return ordered


def _refuse_unknown_owner(present: Sequence[Container], port: int, gateway: str) -> None:
    holder = port_holder.find(present, port, gateway)
    if holder.kind == UNKNOWN_OWNER:
        raise Refusal(holder.refusal(port))


def _refuse_without_published_port(present: Sequence[Container], gateway: Container, port: int) -> None:
    if port in [declared.outside for declared in gateway.declared]:
        return
    if gateway.network_mode == "host":
        raise Refusal(
            f"{gateway.name} runs with network_mode: host, where Docker cannot move its port: publish port {port} of "
            "it on a network of its compose project instead, then run again"
        )
    project = [c for c in present if c.project and c.project == gateway.project]
    proxy = next((c for c in project if port in [declared.outside for declared in c.declared]), None)
    if proxy is not None:
        raise Refusal(
            f"{gateway.name} does not publish port {port}, {proxy.name} of the same project does: "
            f"set predecessor.gateway to {proxy.name}"
        )
    raise Refusal(f"{gateway.name} does not publish port {port}: set sentinel.port to the one that it publishes")


def _gateway(present: Sequence[Container], request: PredecessorRequest) -> Container:
    name = request.gateway
    gateway = next((container for container in present if container.name == name), None)
    if gateway is None:
        process = port_holder.find(present, request.port, name)
        if process.kind == UNKNOWN_OWNER and process.container is None:
            raise Refusal(
                f"port {request.port} is held by {process.name} outside Docker, and there is no container {name}: only "
                "a container can hand its port over, so run ContextForge in Docker (its compose file does), or stop it "
                "and set predecessor.kind to absent"
            )
        raise Refusal(
            f"the predecessor's container {name} does not exist: start ContextForge ('docker compose up -d' in its "
            "folder), correct predecessor.gateway, or set predecessor.kind to absent where ContextForge never ran"
        )
    if request.project and gateway.project and gateway.project != request.project:
        raise Refusal(f"{name} belongs to the compose project {gateway.project}: correct predecessor.project")
    return gateway


def _refuse_without_rollback(engine: Engine, project: Sequence[Container]) -> None:
    networks = {network["Id"]: network["Name"] for network in engine.get("/networks")}
    for container in project:
        for attachment in container.attachments:
            # A network recreated under the same name is another one to a container that was stopped on the former.
            exists = (
                attachment.identifier in networks if attachment.identifier else attachment.network in networks.values()
            )
            if not exists:
                raise Refusal(
                    f"the network {attachment.network} of {container.name} is gone, so it could not start on it again: "
                    "recreate it ('docker compose up -d' in ContextForge's folder), then run again"
                )
        if engine.find(f"/images/{quote(container.image)}/json") is None:
            raise Refusal(
                f"the image of {container.name} ({container.image[:19]}) is gone, so there is no rollback to it: "
                "load it again, then run again"
            )
        for volume in container.volumes:
            if engine.find(f"/volumes/{quote(volume)}") is None:
                raise Refusal(f"the volume {volume} of {container.name} is gone, so there is no rollback: restore it")


def _earlier(request: PredecessorRequest, gateway: Container) -> RecordedContainer | None:
    """The gateway before the last handover, from its journal; None where it is in service."""
    out_of_service = not gateway.attachments
    if request.folder:
        earlier = table(table(Journal(request.folder).state().get("predecessor")).get("gateway"))
        if earlier.get("id") == gateway.id and (out_of_service or gateway.restart[0] == "no"):
            return requests.read(RecordedContainer, Document(earlier, "the handover's state.json"))
    if out_of_service:
        raise Refusal(
            f"{gateway.name} is off its own networks, so its former state cannot be recorded: roll back "
            "first ('handover rollback'), or give the handover's 'folder' with its journal"
        )
    return None


def _recorded(container: Container) -> RecordedContainer:
    return RecordedContainer(
        name=container.name,
        id=container.id,
        image=container.image,
        running=container.running,
        restart={"Name": container.restart[0], "MaximumRetryCount": container.restart[1]},
        networks=tuple(
            RecordedNetwork(a.network, a.aliases, a.internal, a.address, a.endpoint) for a in container.attachments
        ),
        ports=tuple(RecordedPort(port.inside, port.address, port.outside) for port in container.declared),
    )
