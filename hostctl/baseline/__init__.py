"""`baseline keep | read | forget`: the predecessor's answers before anything changed, kept on the host.

Owns: `baseline.json` in the product's folder. Deliberately does not: call a gateway (`verify` does), or judge.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any

from hostctl.core import atomic_file
from hostctl.core.documents import parsed
from hostctl.core.errors import Refusal
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
    content = json.dumps(request.baseline, indent=1, sort_keys=True).encode() + b"\n"
    if not request.baseline or _text(path) == content:
        return {"path": path, "changed": False}
    os.makedirs(request.folder, mode=0o755, exist_ok=True)
    atomic_file.write(path, content, 0o644)
    return {"path": path, "changed": True}


def read(request: ReadRequest) -> dict[str, Any]:
    """{"baseline", "predecessor_serves"}: the kept baseline or None, and whether the predecessor has the port."""
    gateway = containers.find(Engine(request.docker_socket), request.gateway, {})
    serves = gateway is not None and not gateway.paused and gateway.publishes(request.port)
    return {"baseline": kept(request.folder), "predecessor_serves": serves}


def kept(folder: str) -> dict[str, Any] | None:
    """The baseline in that folder, None when there is none."""
    path = os.path.join(folder, FILE)
    content = _text(path)
    if content is None:
        return None
    baseline = parsed(content)
    if baseline is None:
        raise Refusal(f"{path} is not JSON: remove it, and run again while ContextForge serves")
    return baseline


def forget(request: KeepRequest) -> dict[str, Any]:
    """Remove the baseline; its absence is not an error."""
    folder, path = request.folder, os.path.join(request.folder, FILE)
    if not os.path.isdir(folder):
        return {"path": path, "removed": False}
    existed = os.path.exists(path)
    if existed:
        os.unlink(path)
    if not os.listdir(folder):
        os.rmdir(folder)
    return {"path": path, "removed": existed}


def _text(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
