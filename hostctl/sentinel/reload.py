"""`sentinel reload`: the running gateway reads kill switch and rate limits again, and shows that it did.

Owns: SIGHUP to the container's first process (the bridge passes it on), and the proof: the process is the same one, its
log says that it was taken, a disabled tool stands in no list and an enabled one does.
Deliberately does not: write the file, or call a tool to see whether it is refused.
Source of the log's words: the gateway's own source (`src/main.rs`).
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.docker import containers
from hostctl.docker.engine import Engine
from hostctl.mcp import initialize, list_tools

TAKEN = "Config reloaded successfully"
REFUSED = "Config reload failed"
POLL_SECONDS = 0.1


def reload(document: Document) -> dict[str, Any]:
    """Send the signal and wait for the proof; raises Refusal, and then the gateway serves with what it had before."""
    engine, limit = Engine(document.text("docker_socket")), document.seconds("limit_seconds", 10)
    container = _running(engine, document.text("container"))
    target = _target(container, document)
    hidden, listed = set(document.texts("hidden")), set(document.texts("listed"))
    in_log = bool(document.optional("logs_it"))
    began_at, began, started = time.time(), time.monotonic(), _started(engine, container)
    _signal(engine, container, limit)
    while True:
        if _started(engine, _running(engine, container.id)) != started:
            raise Refusal(f"{container.name} was started anew by SIGHUP: this image does not take its settings live")
        log = engine.log_since(container.id, began_at)
        refused = next((line for line in log.splitlines() if REFUSED in line), None)
        if refused is not None:
            raise Refusal(f"{container.name} keeps its previous kill switch and rate limits: {refused.strip()}")
        found = list_tools.tools(target, limit)
        still, absent = sorted(hidden & found), sorted(listed - found)
        over = time.monotonic() - began > limit
        # Without a word in the log an enabled tool that never comes is a backend that is down: not ours to judge.
        if not still and (TAKEN in log if in_log else (over or not absent)):
            took = round((time.monotonic() - began) * 1000)
            return {"state": "reloaded", "hidden": sorted(hidden), "not_listed": absent, "after_ms": took}
        if over:
            why = f"still listed: {', '.join(still)}" if still else f"its log does not say '{TAKEN}'"
            raise Refusal(
                f"{container.name} did not take kill switch and rate limits within {limit:.0f} s ({why}): look at its "
                "log, then run again"
            )
        time.sleep(POLL_SECONDS)


def _signal(engine: Engine, container: containers.Container, limit: float) -> None:
    """From inside: any signal through Docker's own `kill` makes Docker take the container for one that was stopped by
    hand, which it then leaves down after a crash and after a boot (seen on 20.10; moby, daemon/kill.go).
    """
    code, said = engine.inside(container.id, ["sh", "-c", "kill -HUP 1"], limit)
    if code:
        why = " ".join(said.split())[:200] or f"exit code {code}"
        raise Refusal(f"{container.name} could not be sent SIGHUP ({why}): it keeps what it had; look at its log")


def _running(engine: Engine, reference: str) -> containers.Container:
    container = containers.find(engine, reference, {})
    if container is None or not container.running:
        raise Refusal(f"the container {reference[:12]} does not run: start it with 'standby start', then run again")
    return container


def _started(engine: Engine, container: containers.Container) -> str:
    return str(engine.get(f"/containers/{quote(container.id)}/json")["State"]["StartedAt"])


def _target(container: containers.Container, document: Document) -> initialize.Target:
    # Published or not, the host reaches a container at its address on the bridge.
    address = next((one.address for one in container.attachments if one.address), "")
    port, asked = document.whole_number("port"), document.object("probe", {})
    inside = container.inside_port(port)
    if not address or not inside:
        raise Refusal(f"{container.name} has no address or does not declare port {port}: run 'standby start' first")
    return initialize.Target(address, inside, asked.text("path", "/mcp"), f"127.0.0.1:{port}", asked.text("token_file"))
