"""`report inspect`: the host's own record of handovers and backups, and its containers, for `make report`."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hostctl.core import json_file
from hostctl.core.documents import rows, table
from hostctl.core.timestamps import now
from hostctl.docker import containers
from hostctl.docker.engine import Engine
from hostctl.handover.journal import Journal
from hostctl.host import invoker

NIGHTLY_FILES = {"backup": "backup.json", "restore_drill": "restore-drill.json"}
NIGHTLY = "nightly"
_LEFT_OUT = ("container", "predecessor", "predecessor_stopped_at")


@dataclass(frozen=True)
class InspectRequest:
    """The product's folder, and the containers to describe by name."""

    folder: str
    containers: tuple[str, ...] = ()
    docker_socket: str = ""


def inspect(request: InspectRequest) -> dict[str, Any]:
    """The host, its named containers with their images, every kept handover, newest first, and the backups.

    "backup" and "restore_drill" are the files' own documents, None where there is none.
    """
    folder, engine = request.folder, Engine(request.docker_socket)
    journal = Journal(os.path.join(folder, "handover"))
    last = journal.state()
    return {
        "at": now(),
        "by": invoker.identity(),
        "host": _host(engine),
        "containers": [_described(engine, name) for name in request.containers],
        "last": {key: value for key, value in last.items() if key not in _LEFT_OUT},
        "handovers": [_summary(name, lines) for name, lines in journal.finished()],
        **{key: json_file.read(os.path.join(folder, NIGHTLY, name)) or None for key, name in NIGHTLY_FILES.items()},
    }


def _host(engine: Engine) -> dict[str, str]:
    version = table(engine.get("/version"))
    return {
        "name": socket.gethostname(),
        "system": _system(),
        "kernel": platform.release(),
        "docker": str(version.get("Version", "")),
        "python": platform.python_version(),
    }


def _system() -> str:
    """The operating system's name, from os-release(5)."""
    try:
        with open("/etc/os-release", encoding="utf-8") as file:
            named = dict(line.strip().split("=", 1) for line in file if "=" in line)
    except OSError:
        return platform.system()
    return named.get("PRETTY_NAME", platform.system()).strip('"')


def _described(engine: Engine, name: str) -> dict[str, Any]:
    inspected = engine.find(f"/containers/{quote(name, safe='')}/json")
    if inspected is None:
        return {"name": name, "state": "absent"}
    container = containers.described(inspected, {})
    image = table(engine.find(f"/images/{quote(container.image, safe='')}/json"))
    digests = [str(digest).rpartition("@")[2] for digest in rows(image.get("RepoDigests"))]
    return {
        "name": container.name,
        "state": "paused" if container.paused else "running" if container.running else "stopped",
        "image": _named(str(table(inspected["Config"]).get("Image", "")), image),
        "image_id": container.image,
        "digest": digests[0] if digests else "",
        "made_at": str(image.get("Created", "")),
    }


def _named(reference: str, image: dict[str, Any]) -> str:
    """The image's name; for a container that was created by image id, a name that Docker has for it."""
    if not reference.startswith("sha256:"):
        return reference
    known = [*rows(image.get("RepoTags")), *rows(image.get("RepoDigests"))]
    return str(known[0]) if known else ""


def _summary(name: str, lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One finished entry; the file's name ends with its outcome: done, undone, finished or reversed."""
    opening, results = lines[0], [table(line["result"]) for line in lines if "result" in line]
    result = results[-1] if results else dict[str, Any]()
    goals = {key: str(table(opening.get(key)).get("name", "")) for key in ("from", "to")}
    outcome_facts = {key: result[key] for key in ("downtime_ms", "parts", "keep", "at") if key in result}
    outcome = name.rpartition("-")[2].partition(".")[0]
    forced = {"force": True} if table(opening.get("request")).get("force") else {}
    return {"verb": opening["verb"], "at": opening["at"], **goals, **outcome_facts, **forced, "outcome": outcome}
