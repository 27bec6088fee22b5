"""`verification inspect`: facts that need the host: the port's owner and bindings, containers as declared, baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hostctl import baseline, grace
from hostctl.docker import containers
from hostctl.docker.engine import Engine
from hostctl.host import loopback_only, port_holder
from hostctl.verification import expected


@dataclass(frozen=True)
class InspectRequest:
    """The port and the health port, the predecessor's `gateway`, the product's folder, and those of the baseline and of
    the grace period, if any.

    With `every`, all containers of ours are checked; while a run replaces some of them, only those that serve.
    """

    port: int
    health_port: int
    folder: str
    gateway: str = ""
    baseline_folder: str = ""
    every: bool = False
    grace_folder: str = ""
    docker_socket: str = ""


def inspect(request: InspectRequest) -> dict[str, Any]:
    """{"active", "holder", "bindings", "as_declared", "baseline", "grace"}.

    "active" is sentinel, contextforge, unknown owner or nobody; "baseline" is None where none is kept; "grace" is the
    end of each of the predecessor's tokens by its hash.
    """
    engine = Engine(request.docker_socket)
    holder = port_holder.find(containers.everything(engine), request.port, request.gateway)
    return {
        "active": holder.kind,
        "holder": holder.name,
        "bindings": loopback_only.check([request.port, request.health_port]),
        "as_declared": expected.check(engine, request.folder, request.every),
        "baseline": baseline.kept(request.baseline_folder) if request.baseline_folder else None,
        "grace": grace.until(request.grace_folder) if request.grace_folder else {},
    }
