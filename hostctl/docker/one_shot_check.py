"""`one-shot run`: an image's own program checks the files that it will read, in a one-shot container.

Deliberately does not: touch the container that runs with the former files.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from hostctl.core.errors import Refusal
from hostctl.docker import one_shot
from hostctl.docker.engine import Engine
from hostctl.docker.one_shot import OneShot


@dataclass(frozen=True)
class OneShotRequest:
    """`files` maps a path inside to one on the host, read-only."""

    image: str
    command: tuple[str, ...]
    user: str
    files: dict[str, Any] = field(default_factory=dict[str, Any])
    limit_seconds: float = 60
    docker_socket: str = ""


def run(request: OneShotRequest) -> dict[str, Any]:
    """Run the command; raises Refusal with its last lines when it does not end with 0."""
    began = time.monotonic()
    container = OneShot(request.image, request.command, request.user, files=request.files)
    code, output = one_shot.run(Engine(request.docker_socket), container, request.limit_seconds)
    if code:
        raise Refusal(
            f"`{' '.join(request.command)}` ended with {code}: fix what it reports below, then run again; "
            f"the container that runs has not been touched\n{output}"
        )
    return {"command": list(request.command), "ms": round((time.monotonic() - began) * 1000)}
