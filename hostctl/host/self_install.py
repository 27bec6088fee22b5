"""`self install`: this program at its place on the host, where it was lost; the rollback is run by it.

Owns: putting it there when nothing is there. Deliberately does not: replace another version; the program does that.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from hostctl.core import atomic_file
from hostctl.core.documents import Document


def keep(document: Document) -> dict[str, Any]:
    """Write this very archive to "path" unless there is a file."""
    path = document.text("path")
    if os.path.exists(path):
        return {"path": path, "written": False, "reason": "it is there"}
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    with open(sys.argv[0], "rb") as file:
        atomic_file.write(path, file.read(), 0o755)
    return {"path": path, "written": True, "reason": "it was gone"}
