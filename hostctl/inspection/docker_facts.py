"""Docker on the host: its version and kind, the networks that Sentinel joins, and the holders of the stack's ports.

Source: the Engine API's reference, "Get system information" and "List networks", versions 1.41 to 1.51.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from hostctl.core.documents import rows, table
from hostctl.core.errors import Refusal
from hostctl.docker import containers, limits
from hostctl.docker.engine import Engine
from hostctl.host import port_holder
from hostctl.inspection.finding import Finding
from hostctl.inspection.request import InspectRequest
from hostctl.schedule import script_runner

_SNAP = "/var/snap/"


def daemon(info: Mapping[str, Any]) -> Iterator[Finding]:
    """Version, storage, control groups, firewall backend; limits that Docker drops are a problem."""
    parts = [
        str(info.get("ServerVersion") or "of an unknown version"),
        str(info.get("Driver") or ""),
        f"control groups {info.get('CgroupVersion') or '1'} ({info.get('CgroupDriver') or 'unknown'} driver)",
        str(table(info.get("FirewallBackend")).get("Driver") or "iptables"),
    ]
    yield Finding("docker", "ok", ", ".join(part for part in parts if part))
    try:
        limits.require(info)
    except Refusal as refusal:
        yield Finding("docker", "problem", str(refusal))
    if os.geteuid() and not info.get("Images", 1):
        yield Finding(
            "docker",
            "problem",
            "Docker has no image yet, and without root a one-shot container gives files to their container",
            "pull any image ('docker pull busybox'), or run as root",
        )
    options = [str(option) for option in rows(info.get("SecurityOptions"))]
    if any("name=rootless" in option for option in options):
        yield Finding(
            "docker",
            "problem",
            "Docker runs rootless, so that its networks and ports are not the host's own",
            "set host.docker_socket to the socket of the Docker that runs as root",
        )
    if any("name=userns" in option for option in options):
        yield Finding("docker", "note", "user namespaces are remapped: files on the host belong to other user ids")
    if str(info.get("DockerRootDir") or "").startswith(_SNAP):
        yield Finding("docker", "note", "Docker is a snap, which sees the host's files below /home alone")


def prunes(request: InspectRequest) -> Iterator[Finding]:
    """A job that prunes Docker spares what has our label, as the images of ours have, and the containers."""
    spares = f"label!={containers.OURS}"
    for place, line in script_runner.prunes(request.cron_folder):
        if spares in line:
            yield Finding("prune", "ok", f"{place} prunes Docker and spares what has the label {containers.OURS}")
        else:
            yield Finding(
                "prune",
                "note",
                f"{place} prunes Docker ({line}), which may remove what a rollback needs",
                f"add --filter '{spares}' to that line, and leave predecessor.keep at standby, since a container that "
                "runs is never pruned",
            )


def networks(request: InspectRequest, engine: Engine) -> Iterator[Finding]:
    """Every network of `networks.also` exists."""
    present = {str(table(network).get("Name")) for network in rows(engine.get("/networks"))}
    for name in request.networks:
        if name not in present:
            yield Finding(
                "networks",
                "problem",
                f"there is no network {name}, which networks.also names",
                f"correct networks.also, or create it ('docker network create {name}')",
            )
        else:
            yield Finding("networks", "ok", f"{name} exists")


def ports(request: InspectRequest, engine: Engine) -> Iterator[Finding]:
    """Each port of the stack: free, ours, or the predecessor's; anything else is a problem."""
    present = containers.everything(engine)
    for named in request.ports:
        key, port = named.key, named.port
        holder = port_holder.find(present, port, request.gateway)
        own = holder.container is not None and holder.container.ours
        if own or holder.kind != port_holder.UNKNOWN_OWNER:
            yield Finding("ports", "ok", f"{port} ({key}): {holder.name or 'free'}")
        else:
            yield Finding(
                "ports",
                "problem",
                f"port {port} ({key}) is held by {holder.name}",
                f"stop it, or set {key} to a free port",
            )
