"""`images ready`: an image is on the host before anything is made from it; a missing one is pulled.

Deliberately does not: remove an image, log in at a registry, or build. The plugin would pull as well, but its
error names no fix.
Source: Engine API, "Create an image": progress and errors come as JSON objects, one a line, after status 200.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hostctl.core.documents import parsed
from hostctl.core.errors import Refusal
from hostctl.docker.engine import DockerError, Engine

PULL_SECONDS = 1800.0


@dataclass(frozen=True)
class ReadyRequest:
    """An image, and the setting that names it, for the error."""

    image: str
    setting: str
    docker_socket: str = ""


def ready(request: ReadyRequest) -> dict[str, Any]:
    """The image's id, pulled where it is missing; raises Refusal that says how to get it."""
    engine, image = Engine(request.docker_socket), request.image
    inspected = engine.find(f"/images/{quote(image)}/json")
    if inspected is not None:
        return {"image": image, "id": inspected["Id"], "pulled": False}
    print(f"pulling {image}", file=sys.stderr, flush=True)
    reason = _pull(engine, image)
    inspected = engine.find(f"/images/{quote(image)}/json")
    if inspected is None:
        raise Refusal(
            f"the image {image} is not on the host and cannot be pulled ({reason or 'no reason given'}): load it there "
            f"('docker load -i FILE', or 'docker pull' after 'docker login'), or correct {request.setting}"
        )
    return {"image": image, "id": inspected["Id"], "pulled": True}


def _pull(engine: Engine, image: str) -> str:
    """The reason of a failure, empty on success."""
    try:
        output = engine.text("POST", f"/images/create?fromImage={quote(image, safe='')}", PULL_SECONDS)
    except DockerError as error:
        return str(error).split(": ", 1)[-1]
    messages = [parsed(line) or {} for line in output.splitlines()]
    return next((str(message["error"]) for message in messages if "error" in message), "")
