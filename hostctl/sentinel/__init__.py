"""`sentinel start` and `sentinel stop`: the standby container, started beside the gateway that still serves.

The plugin knows no limit of processes, so the container gets it here, before its start.

Deliberately does not: publish its port (the handover does).
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any

from hostctl.core.errors import Refusal
from hostctl.docker import containers
from hostctl.docker.engine import Engine
from hostctl.docker.redacted_logs import log_tail

LOG_LINES = 20
POLL_SECONDS = 0.1
PROCESSES = 1024
"""Threads count too: bridge, gateway, five servers on Node and a browser have about 140 on the lab (measured)."""
# A container without a health check must have stayed up for this long after its start.
WITHOUT_CHECK_SECONDS = 1.0
PROGRESS_SECONDS = 5.0


@dataclass(frozen=True)
class StandbyRequest:
    """The container, by id or name. Within `limit_seconds` it must be healthy, or is killed after a stop."""

    container: str
    limit_seconds: float = 60
    docker_socket: str = ""


def start(request: StandbyRequest) -> dict[str, Any]:
    """Start the container and wait until it is healthy; raises Refusal with its log's last lines."""
    engine, reference, limit = Engine(request.docker_socket), request.container, request.limit_seconds
    began = time.monotonic()
    container = containers.require(engine, reference)
    unproven = 0.0
    engine.post(f"/containers/{container.id}/update", {"PidsLimit": PROCESSES})
    if not container.running:
        engine.post(f"/containers/{container.id}/start")
        unproven = WITHOUT_CHECK_SECONDS
    reported = began
    while True:
        container = containers.require(engine, reference)
        passed = time.monotonic() - began
        if not container.running or container.restarting:
            raise _failed(engine, container, f"ended with exit code {container.exit_code}")
        if container.health == "healthy" or (not container.health and passed >= unproven):
            return {"container": container.id, "state": "standby", "healthy_after_ms": round(passed * 1000)}
        if container.health == "unhealthy":
            raise _failed(engine, container, "is unhealthy")
        if passed > limit:
            raise _failed(engine, container, f"is not healthy after {limit:.0f} s")
        if time.monotonic() - reported >= PROGRESS_SECONDS:
            reported = time.monotonic()
            print(f"{container.name}: {container.health} for {passed:.0f} s of {limit:.0f} s", file=sys.stderr)
        time.sleep(POLL_SECONDS)


def stop(request: StandbyRequest) -> dict[str, Any]:
    """Stop the container when it runs; one that is gone is not an error."""
    engine, limit = Engine(request.docker_socket), request.limit_seconds
    container = containers.find(engine, request.container)
    if container is None:
        return {"container": request.container, "state": "absent"}
    if container.running:
        engine.post(f"/containers/{container.id}/stop?t={int(limit)}", seconds=limit + 30)
    return {"container": container.id, "state": "stopped"}


def _failed(engine: Engine, container: containers.Container, what: str) -> Refusal:
    lines = log_tail(engine, container.id, LOG_LINES)
    return Refusal(
        f"{container.name} {what}: read its log's last lines below, fix the cause, then run again; "
        f"the gateway that serves has not been touched\n{lines}"
    )
