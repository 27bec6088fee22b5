"""`baseline keep | read | forget`: the predecessor's answers before anything changed, kept on the host.

Owns: `baseline.json` in the product's folder. Deliberately does not: call a gateway (`verify` does), or judge.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from hostctl.core import json_file
from hostctl.docker import containers
from hostctl.docker.engine import Engine

FILE = "baseline.json"


@dataclass(frozen=True)
class KeepRequest:
    """The baseline's folder; an empty `baseline` keeps the previous one."""

    folder: str
    baseline: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class ReadRequest:
    """The baseline's folder, and the predecessor's gateway with its port."""

    folder: str
    gateway: str
    port: int
    docker_socket: str = ""


def keep(request: KeepRequest) -> dict[str, Any]:
    """Write the baseline, whole or not at all."""
    path = os.path.join(request.folder, FILE)
    changed = bool(request.baseline) and json_file.read(path) != request.baseline
    if changed:
        json_file.write(path, request.baseline, 0o644)
    return {"path": path, "changed": changed}


def read(request: ReadRequest) -> dict[str, Any]:
    """{"baseline", "predecessor_serves"}: the kept baseline or None, and whether the predecessor has the port."""
    gateway = containers.find(Engine(request.docker_socket), request.gateway)
    serves = gateway is not None and not gateway.paused and gateway.publishes(request.port)
    return {"baseline": kept(request.folder), "predecessor_serves": serves}


def kept(folder: str) -> dict[str, Any] | None:
    """The baseline in that folder, None when there is none."""
    fix = "remove it, and run again while ContextForge serves"
    return json_file.read(os.path.join(folder, FILE), fix)


def forget(request: KeepRequest) -> dict[str, Any]:
    """Remove the baseline; its absence is not an error."""
    path = os.path.join(request.folder, FILE)
    return {"path": path, "removed": bool(json_file.remove(request.folder, FILE))}
