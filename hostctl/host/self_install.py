"""`self install`: this program put back at its place on the host, since a rollback needs it.

Deliberately does not: replace another version; the program does that.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from hostctl.core import atomic_file, folders
from hostctl.host import bytecode


@dataclass(frozen=True)
class InstallRequest:
    """The archive's place on the host."""

    path: str


def install(request: InstallRequest) -> dict[str, Any]:
    """Write this archive to the path unless a file is there."""
    path = request.path
    if os.path.exists(path):
        return {"path": path, "written": False, "reason": "it exists already"}
    folders.make(os.path.dirname(path), 0o755)
    atomic_file.write(path, bytecode.own_archive(), 0o755)
    return {"path": path, "written": True, "reason": "it was missing"}
