"""`predecessor record` and `predecessor check`: what runs before anything changes, and whether it could come back.

Owns: the record that the handover's rollback uses, and the same look again right before the way out: a record may be
days old when the port changes hands. Deliberately does not: change anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from hostctl.core.documents import Document, table
from hostctl.core.errors import Refusal
from hostctl.docker import containers
from hostctl.docker.containers import GATEWAY_ROLE, Container
from hostctl.docker.engine import Engine
from hostctl.handover.journal import Journal
from hostctl.host import listeners


def record(document: Document) -> dict[str, Any]:
    """The predecessor as it is, or as it was before an earlier handover; raises Refusal when it could not come back.

    "folder", the handover's, is optional: with it a predecessor that is out of service now is described as it was.
    """
    engine, kind, port = Engine(document.text("docker_socket")), document.text("kind"), document.whole_number("port")
    found = containers.everything(engine)
    if kind == "absent":
        refuse_stranger(found, None, port)
        return {"kind": "absent", "gateway": None, "containers": [], "volumes": [], "port": port}
    if kind != "contextforge":
        raise Refusal('\'kind\' must be "contextforge" or "absent"')
    gateway = _gateway(found, document.text("gateway"), document.text("project"))
    if port not in [declared.outside for declared in gateway.declared]:
        raise Refusal(f"{gateway.name} does not publish port {port}: set sentinel.port to the one that it publishes")
    refuse_stranger(found, gateway, port)
    project = in_dependency_order([c for c in found if c.project and c.project == gateway.project] or [gateway])
    _refuse_without_rollback(engine, project)
    earlier = _earlier(document, gateway)
    described = _described(gateway) if earlier is None else earlier
    return {
        "kind": "contextforge",
        "gateway": described,
        "containers": [described if c.id == gateway.id else _described(c) for c in project],
        "volumes": sorted({volume for container in project for volume in container.volumes}),
        "port": port,
    }


def check(document: Document) -> dict[str, Any]:
    """Whether the rollback stands now; raises Refusal as `record`. A predecessor that is out of service passes."""
    recorded = record(document)
    names = [container["name"] for container in recorded["containers"]]
    return {"kind": recorded["kind"], "port": recorded["port"], "there": names}


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


def refuse_stranger(found: Sequence[Container], gateway: Container | None, port: int) -> None:
    """Raise Refusal that names the holder when neither the predecessor nor a Sentinel container has the port."""
    for container in found:
        if not container.publishes(port) or container.role == GATEWAY_ROLE:
            continue
        if gateway is None or container.id != gateway.id:
            raise Refusal(
                f"port {port} is held by the container {container.name}, neither the predecessor nor Sentinel: "
                f"stop it ('docker stop {container.name}') or choose another port"
            )
        return
    if any(container.publishes(port) for container in found):
        return
    listener = listeners.listener(port)
    if listener is not None:
        raise Refusal(f"port {port} is held by {listener}, which is no gateway: stop it or choose another port")


def _gateway(found: Sequence[Container], name: str, project: str) -> Container:
    gateway = next((container for container in found if container.name == name), None)
    if gateway is None:
        raise Refusal(
            f"the predecessor's container {name} does not exist: start ContextForge ('docker compose up -d' in its "
            "folder), correct predecessor.gateway, or set predecessor.kind to absent where ContextForge never ran"
        )
    if project and gateway.project and gateway.project != project:
        raise Refusal(f"{name} belongs to the compose project {gateway.project}: correct predecessor.project")
    return gateway


def _refuse_without_rollback(engine: Engine, project: Sequence[Container]) -> None:
    networks = {network["Id"]: network["Name"] for network in engine.get("/networks")}
    for container in project:
        for attachment in container.attachments:
            # A network that was made anew under its name is another one to a container that was stopped on the old.
            there = (
                attachment.identifier in networks if attachment.identifier else attachment.network in networks.values()
            )
            if not there:
                raise Refusal(
                    f"the network {attachment.network} of {container.name} is gone, so it could not start on it again: "
                    "bring it up anew ('docker compose up -d' in ContextForge's folder), then run again"
                )
        if engine.find(f"/images/{quote(container.image)}/json") is None:
            raise Refusal(
                f"the image of {container.name} ({container.image[:19]}) is gone, so there is no rollback to it: "
                "load it again, then run again"
            )
        for volume in container.volumes:
            if engine.find(f"/volumes/{quote(volume)}") is None:
                raise Refusal(f"the volume {volume} of {container.name} is gone, so there is no rollback: restore it")


def _earlier(document: Document, gateway: Container) -> dict[str, Any] | None:
    out_of_service = gateway.paused or not gateway.attachments
    folder = document.text("folder", "")
    if folder:
        earlier = table(table(Journal(folder).state().get("predecessor")).get("gateway"))
        if earlier.get("id") == gateway.id and (out_of_service or gateway.restart[0] == "no"):
            return earlier
    if out_of_service:
        raise Refusal(
            f"{gateway.name} is out of service and off its networks, so what it was cannot be recorded: give it the "
            "port back ('handover give'), or give the handover's 'folder' with its journal"
        )
    return None


def _described(container: Container) -> dict[str, Any]:
    return {
        "name": container.name,
        "id": container.id,
        "image": container.image,
        "running": container.running,
        "restart": {"Name": container.restart[0], "MaximumRetryCount": container.restart[1]},
        "networks": [
            {
                "name": attachment.network,
                "aliases": list(attachment.aliases),
                "internal": attachment.internal,
                "address": attachment.address,
            }
            for attachment in container.attachments
        ],
        "ports": [
            {"inside": port.inside, "address": port.address, "outside": port.outside} for port in container.declared
        ],
    }
