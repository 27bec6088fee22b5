"""The facts of a running box: `box.json`, written when it stands, for every program that uses it.

Owns: the format of `box.json`.
Deliberately does not: decide if the box still runs (lifecycle.py).
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Process(_Fact):
    """`started` is the start time in clock ticks since boot (field 22 of /proc/PID/stat, proc(5)).

    A pid alone may belong to another process since; pid and start time together have not.
    """

    name: str
    pid: int
    started: int


class Ssh(_Fact):
    """`key` is the path of the private key, `host_key` the public key of the host in the form of known_hosts."""

    address: str
    port: int
    user: str
    key: str
    host_key: str


class Box(_Fact):
    """`vps` and `wan` are names of network namespaces; `images` maps a short name to a tag."""

    id: str
    vps: str
    wan: str
    docker_socket: str
    ssh: Ssh
    home: str
    folder: str
    hardened: bool = False
    images: dict[str, str] = {}
    processes: tuple[Process, ...] = ()

    @property
    def docker_host(self) -> str:
        """As `DOCKER_HOST` and Docker's clients want it."""
        return f"unix://{self.docker_socket}"

    @property
    def cron(self) -> Path:
        """Cron's folder of the VPS, whose own files begin two folders above its operator's home (lab/box/place.py)."""
        return Path(self.home).parents[1] / "etc" / "cron.d"

    def with_images(self, images: dict[str, str]) -> Box:
        return self.model_copy(update={"images": dict(images)})


def read(path: Path) -> Box | None:
    """The recorded box, or None when there is no readable record (a killed run may leave none)."""
    try:
        return Box.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def write(path: Path, box: Box) -> None:
    """Atomic: a reader sees the old record or the new one."""
    candidate = path.with_name(path.name + ".new")
    candidate.write_text(json.dumps(box.model_dump(mode="json"), indent=2) + "\n")
    os.replace(candidate, path)
