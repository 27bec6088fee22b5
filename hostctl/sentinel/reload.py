"""`sentinel reload`: the running gateway reads the kill switch and the rate limits again, and proves it.

Owns: SIGHUP to the container's first process (the bridge passes it on), and the proof: the process is the same one, its
log reports the reload, no disabled tool is listed and every enabled one is.
Deliberately does not: write the file, or call a tool to see that it is refused.
Source of the log's messages: the gateway's own source (`src/main.rs`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from hostctl.core.errors import Refusal
from hostctl.docker import containers
from hostctl.docker.engine import Engine
from hostctl.mcp import initialize, list_tools

RELOADED = "Config reloaded successfully"
REFUSED = "Config reload failed"
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class ReloadProbe:
    """The MCP endpoint whose tools are listed."""

    token_file: str
    path: str = "/mcp"


@dataclass(frozen=True)
class ReloadRequest:
    """`hidden` and `listed` are tools by name; `reloads` is the number of gateway processes whose log reports one.

    `tables` is what the gateway reads again: it is not used, but a change of it runs the verb.
    """

    container: str
    port: int
    probe: ReloadProbe
    tables: dict[str, Any] = field(default_factory=dict[str, Any])
    hidden: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    reloads: int = 0
    limit_seconds: float = 10
    docker_socket: str = ""


def reload(request: ReloadRequest) -> dict[str, Any]:
    """Send the signal and wait for the proof; raises Refusal, and then the gateway serves with its former settings."""
    engine, limit = Engine(request.docker_socket), request.limit_seconds
    container = _running(engine, request.container)
    target = _target(container, request)
    hidden, listed = set(request.hidden), set(request.listed)
    began_at, began, started = time.time(), time.monotonic(), _started(engine, container)
    _signal(engine, container, limit)
    while True:
        if _started(engine, _running(engine, container.id)) != started:
            raise Refusal(f"{container.name} was restarted by SIGHUP: use an image that reloads its settings on it")
        log = engine.log_since(container.id, began_at)
        refused = next((line for line in log.splitlines() if REFUSED in line), None)
        if refused is not None:
            raise Refusal(f"{container.name} keeps its previous kill switch and rate limits: {refused.strip()}")
        tools = list_tools.tools(target, limit)
        still, absent = sorted(hidden & tools), sorted(listed - tools)
        over = time.monotonic() - began > limit
        # Where no log reports it, an enabled tool that never appears is a backend that is down: not judged here.
        if not still and (log.count(RELOADED) >= request.reloads if request.reloads else (over or not absent)):
            took = round((time.monotonic() - began) * 1000)
            return {"state": "reloaded", "hidden": sorted(hidden), "not_listed": absent, "after_ms": took}
        if over:
            reason = f"still listed: {', '.join(still)}" if still else f"its log does not say '{RELOADED}'"
            raise Refusal(
                f"{container.name} did not apply the kill switch and the rate limits within {limit:.0f} s ({reason}): "
                "check its log, then run again"
            )
        time.sleep(POLL_SECONDS)


def _signal(engine: Engine, container: containers.Container, limit: float) -> None:
    """Send SIGHUP from inside. After a signal through its own `kill`, Docker takes the container for one that was
    stopped by hand, and leaves it down after a crash and after a boot (seen on 20.10; moby, daemon/kill.go).
    """
    code, output = engine.inside(container.id, ["sh", "-c", "kill -HUP 1"], limit)
    if code:
        reason = " ".join(output.split())[:200] or f"exit code {code}"
        raise Refusal(f"{container.name} could not be sent SIGHUP ({reason}): it keeps its settings; check its log")


def _running(engine: Engine, reference: str) -> containers.Container:
    container = containers.find(engine, reference)
    if container is None or not container.running:
        raise Refusal(f"the container {reference[:12]} does not run: start it with 'sentinel start', then run again")
    return container


def _started(engine: Engine, container: containers.Container) -> str:
    return str(engine.get(f"/containers/{quote(container.id)}/json")["State"]["StartedAt"])


def _target(container: containers.Container, request: ReloadRequest) -> initialize.Target:
    # Published or not, the host reaches a container at its address on the bridge.
    address = next((attachment.address for attachment in container.attachments if attachment.address), "")
    port, probe = request.port, request.probe
    inside = container.inside_port(port)
    if not address or not inside:
        raise Refusal(f"{container.name} has no address or does not declare port {port}: run 'sentinel start' first")
    return initialize.Target(address, inside, probe.path, f"127.0.0.1:{port}", probe.token_file)
