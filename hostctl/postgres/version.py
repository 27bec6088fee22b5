"""`postgres check`: the image's PostgreSQL reads the data that is in the volume, before any container is replaced.

A server of another major version refuses the data folder and ends at each start, when the container with the right one
is gone already. Deliberately does not: upgrade anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hostctl.core.errors import Refusal
from hostctl.docker import one_shot
from hostctl.docker.engine import Engine
from hostctl.docker.one_shot import OneShot

SECONDS = 60.0
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")
_INSIDE = "/volume"


@dataclass(frozen=True)
class VersionRequest:
    """The image by its id, and the volume with the data folder."""

    image: str
    volume: str
    docker_socket: str = ""


def check(request: VersionRequest) -> dict[str, Any]:
    """{"image", "volume"}, both major versions, the volume's 0 while it is empty; raises Refusal where they differ."""
    engine = Engine(request.docker_socket)
    status, said = one_shot.run(engine, OneShot(request.image, ("pg_restore", "--version")), SECONDS)
    found = _VERSION.search(said)
    if status or found is None:
        raise Refusal(
            "the image in postgres.image has no pg_restore that says its version: set it to one of PostgreSQL"
        )
    image, volume = int(found[1]), _of_volume(engine, request)
    if volume and volume != image:
        raise Refusal(
            f"the volume {request.volume} has data of PostgreSQL {volume}, and postgres.image is PostgreSQL {image}, "
            f"which cannot read it: keep an image of PostgreSQL {volume}, or upgrade as the runbook says; nothing was "
            "replaced"
        )
    return {"image": image, "volume": volume}


def _of_volume(engine: Engine, request: VersionRequest) -> int:
    if engine.find(f"/volumes/{quote(request.volume, safe='')}") is None:
        return 0
    reading = ("cat", f"{_INSIDE}/PG_VERSION")
    # Root without any capability but this one, since the data folder is its server's alone.
    reader = OneShot(request.image, reading, capabilities=("DAC_READ_SEARCH",), named_volumes={_INSIDE: request.volume})
    status, said = one_shot.run(engine, reader, SECONDS)
    match = re.match(r"\d+", said.strip())
    return int(match[0]) if not status and match else 0
