"""`baseline keep | read | forget`: what the predecessor answered before anything changed, kept on the host.

Owns: `baseline.json` in the product's folder. Deliberately does not: ask anybody (`verify` does), or judge.
"""

from __future__ import annotations

import json
import os
from typing import Any

from hostctl.core import atomic_file
from hostctl.core.documents import Document, parsed
from hostctl.core.errors import Refusal
from hostctl.docker import containers
from hostctl.docker.engine import Engine

FILE = "baseline.json"


def keep(document: Document) -> dict[str, Any]:
    """Write the baseline, whole or not at all."""
    folder = document.text("folder")
    if document.optional("baseline") is None:
        return {"path": os.path.join(folder, FILE), "changed": False}
    baseline = document.object("baseline").values
    content = json.dumps(baseline, indent=1, sort_keys=True).encode() + b"\n"
    path = os.path.join(folder, FILE)
    if _text(path) == content:
        return {"path": path, "changed": False}
    os.makedirs(folder, mode=0o755, exist_ok=True)
    atomic_file.write(path, content, 0o644)
    return {"path": path, "changed": True}


def read(document: Document) -> dict[str, Any]:
    """The kept baseline, None when there is none, and whether the predecessor has the port now."""
    engine = Engine(document.text("docker_socket"))
    gateway = containers.find(engine, document.text("gateway"), {})
    serves = gateway is not None and not gateway.paused and gateway.publishes(document.whole_number("port"))
    return {"baseline": kept(document.text("folder")), "predecessor_serves": serves}


def kept(folder: str) -> dict[str, Any] | None:
    """The baseline in that folder, None when there is none."""
    path = os.path.join(folder, FILE)
    content = _text(path)
    if content is None:
        return None
    found = parsed(content)
    if found is None:
        raise Refusal(f"{path} is no JSON: remove it, and run again while ContextForge serves")
    return found


def forget(document: Document) -> dict[str, Any]:
    """Remove it; one that is gone is no error."""
    folder = document.text("folder")
    path = os.path.join(folder, FILE)
    if not os.path.isdir(folder):
        return {"path": path, "removed": False}
    there = os.path.exists(path)
    if there:
        os.unlink(path)
    if not os.listdir(folder):
        os.rmdir(folder)
    return {"path": path, "removed": there}


def _text(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
