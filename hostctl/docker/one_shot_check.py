"""`one-shot run`: one command in a one-shot container, to let an image's own program judge the files that it will read.

Owns: that container: no network, no capability, read-only root and files, removed whatever happens.
Deliberately does not: touch the container that runs with the files of before.
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.docker.engine import DockerError, Engine

LOG_LINES = 20
POLL_SECONDS = 0.1
MEMORY_BYTES = 256 * 1024 * 1024
LABEL = "sentinel-cutover.trial"


def run(document: Document) -> dict[str, Any]:
    """Run `command` of `image` over `files`; raises Refusal with its last lines when it does not end with 0."""
    engine, limit = Engine(document.text("docker_socket")), document.seconds("limit_seconds", 60)
    command = document.texts("command")
    began = time.monotonic()
    made: str = engine.post("/containers/create", _body(document, command))["Id"]
    try:
        engine.post(f"/containers/{made}/start")
        code = _end(engine, made, began + limit)
        said = engine.log_tail(quote(made), LOG_LINES).strip()
    finally:
        _remove(engine, made)
    if code is None:
        raise Refusal(f"`{' '.join(command)}` has not ended after {limit:.0f} s: run again\n{said}")
    if code:
        raise Refusal(
            f"`{' '.join(command)}` ended with {code}: fix what it says below, then run again; "
            f"what runs has not been touched\n{said}"
        )
    return {"command": command, "ms": round((time.monotonic() - began) * 1000)}


def _body(document: Document, command: list[str]) -> dict[str, Any]:
    files = document.object("files", {}).values
    return {
        "Image": document.text("image"),
        "Entrypoint": command[:1],
        "Cmd": command[1:],
        "User": document.text("user"),
        "Labels": {LABEL: "true"},
        "HostConfig": {
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
            "Memory": MEMORY_BYTES,
            "MemorySwap": MEMORY_BYTES,
            "Mounts": [
                {"Type": "bind", "Target": target, "Source": source, "ReadOnly": True}
                for target, source in sorted(files.items())
            ],
        },
    }


def _end(engine: Engine, container: str, deadline: float) -> int | None:
    """The exit code, None when it still runs at the deadline."""
    while True:
        state = engine.get(f"/containers/{container}/json")["State"]
        if state["Status"] in ("exited", "dead"):
            return int(state["ExitCode"])
        if time.monotonic() > deadline:
            return None
        time.sleep(POLL_SECONDS)


def _remove(engine: Engine, container: str) -> None:
    try:
        engine.delete(f"/containers/{container}?force=1&v=1")
    except DockerError as error:
        if error.status != 404:
            raise
