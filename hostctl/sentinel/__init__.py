"""`sentinel start` and `sentinel stop`: the container that will serve, started beside the one that still does.

Owns: starting it and waiting for its health check. Deliberately does not: publish its port.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.docker import containers
from hostctl.docker.engine import Engine
from hostctl.docker.redacted_logs import log_tail

LOG_LINES = 20
POLL_SECONDS = 0.1
# A container without a health check must have stayed up for so long after its start.
WITHOUT_CHECK_SECONDS = 1.0
PROGRESS_SECONDS = 5.0


def start(document: Document) -> dict[str, Any]:
    """Start the container and wait until it is healthy; raises Refusal with its log's last lines."""
    engine, reference, limit = (
        Engine(document.text("docker_socket")),
        document.text("container"),
        document.seconds("limit_seconds", 60),
    )
    began = time.monotonic()
    container = _found(engine, reference)
    unproven = 0.0
    if not container.running:
        engine.post(f"/containers/{container.id}/start")
        unproven = WITHOUT_CHECK_SECONDS
    told = began
    while True:
        container = _found(engine, reference)
        passed = time.monotonic() - began
        if not container.running or container.restarting:
            raise _failed(engine, container, f"ended with exit code {container.exit_code}")
        if container.health == "healthy" or (not container.health and passed >= unproven):
            return {"container": container.id, "state": "standby", "healthy_after_ms": round(passed * 1000)}
        if container.health == "unhealthy":
            raise _failed(engine, container, "is unhealthy")
        if passed > limit:
            raise _failed(engine, container, f"is not healthy after {limit:.0f} s")
        if time.monotonic() - told >= PROGRESS_SECONDS:
            told = time.monotonic()
            print(f"{container.name}: {container.health} for {passed:.0f} s of {limit:.0f} s", file=sys.stderr)
        time.sleep(POLL_SECONDS)


def stop(document: Document) -> dict[str, Any]:
    """Stop the container when it runs; one that is gone is no error."""
    engine, reference, limit = (
        Engine(document.text("docker_socket")),
        document.text("container"),
        document.seconds("limit_seconds", 10),
    )
    container = containers.find(engine, reference, {})
    if container is None:
        return {"container": reference, "state": "absent"}
    if container.running:
        engine.post(f"/containers/{container.id}/stop?t={int(limit)}", seconds=limit + 30)
    return {"container": container.id, "state": "stopped"}


def _found(engine: Engine, reference: str) -> containers.Container:
    container = containers.find(engine, reference, {})
    if container is None:
        raise Refusal(f"the container {reference} does not exist: create it, then run again")
    return container


def _failed(engine: Engine, container: containers.Container, what: str) -> Refusal:
    lines = log_tail(engine, container.id, LOG_LINES)
    return Refusal(
        f"{container.name} {what}: read its log's last lines below, fix the cause, then run again; "
        f"the gateway that serves has not been touched\n{lines}"
    )
