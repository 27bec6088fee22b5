"""`images ready`: an image is on the host before anything is made from it.

Owns: pulling one that is not there, and the sentence where that fails. Deliberately does not: remove one, log in at a
registry, or build. The plugin would pull as well; what it says of a failure names no way to fix it.
Source: Engine API, "Create an image": progress and errors come as JSON objects, one a line, after status 200.
"""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import quote

from hostctl.core.documents import Document, parsed
from hostctl.core.errors import Refusal
from hostctl.docker.engine import DockerError, Engine

PULL_SECONDS = 1800.0


def ready(document: Document) -> dict[str, Any]:
    """The image's id, pulled where it is not there; raises Refusal that says how to get it."""
    engine, image = Engine(document.text("docker_socket")), document.text("image")
    found = engine.find(f"/images/{quote(image)}/json")
    if found is not None:
        return {"image": image, "id": found["Id"], "pulled": False}
    print(f"pulling {image}", file=sys.stderr, flush=True)
    reason = _pull(engine, image)
    found = engine.find(f"/images/{quote(image)}/json")
    if found is None:
        raise Refusal(
            f"the image {image} is not on the host and cannot be pulled ({reason or 'no reason given'}): load it there "
            f"('docker load -i FILE', or 'docker pull' after 'docker login'), or correct {document.text('setting')}"
        )
    return {"image": image, "id": found["Id"], "pulled": True}


def _pull(engine: Engine, image: str) -> str:
    """Why it did not work, empty where it did."""
    try:
        said = engine.text("POST", f"/images/create?fromImage={quote(image, safe='')}", PULL_SECONDS)
    except DockerError as error:
        return str(error).split(": ", 1)[-1]
    told = [parsed(line) or {} for line in said.splitlines()]
    return next((str(one["error"]) for one in told if "error" in one), "")
