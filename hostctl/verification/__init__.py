"""`verification inspect`: facts that need the host: the port's owner and bindings, containers as declared, baseline.

Deliberately does not: call a tool (`verify` does), or change anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hostctl import baseline
from hostctl.docker import containers
from hostctl.docker.engine import Engine
from hostctl.host import loopback_only, port_holder
from hostctl.verification import expected


@dataclass(frozen=True)
class InspectRequest:
    """The port and the health port, the predecessor's `gateway`, the product's folder, and the baseline's, if any."""

    port: int
    health_port: int
    folder: str
    gateway: str = ""
    baseline_folder: str = ""
    docker_socket: str = ""


def inspect(request: InspectRequest) -> dict[str, Any]:
    """{"active", "holder", "bindings", "as_declared", "baseline"}, the last None where no baseline is kept.

    "active" is sentinel, contextforge, unknown owner or nobody.
    """
    engine = Engine(request.docker_socket)
    holder = port_holder.find(containers.everything(engine), request.port, request.gateway)
    return {
        "active": holder.kind,
        "holder": holder.name,
        "bindings": loopback_only.check([request.port, request.health_port]),
        "as_declared": expected.check(engine, request.folder),
        "baseline": baseline.kept(request.baseline_folder) if request.baseline_folder else None,
    }
