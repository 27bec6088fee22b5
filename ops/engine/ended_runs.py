"""The engine's runs that this clone has started and seen to their end: a lock of one of them is nobody's any more.

A run whose backend went away cannot remove its lock there, and a shared backend cannot say whose lock it is. But
whoever waited for the engine's process knows its number, this machine's name and the seconds between its start and its
end, and a lock that bears all three is that run's.

Deliberately does not: know the lock of a run that was killed together with the command that waited for it.
"""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

from console.paths import WORK
from hostctl.core import atomic_file
from ops.engine.locks import Lock

LOCKING = ("up", "refresh", "destroy", "import")
"""The engine's commands that lock a stack."""
_KEPT = 50
_ROUNDING_SECONDS = 1.0
"""A lock has its moment in whole seconds."""


def note(pid: int, began: float) -> None:
    """Record that the engine's process has ended now; `began` is in seconds since 1970."""
    folder = _folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ended = {"machine": socket.gethostname(), "began": began, "ended": time.time()}
    atomic_file.write(str(folder / str(pid)), json.dumps(ended).encode())
    for file in sorted(folder.iterdir(), key=_age)[_KEPT:]:
        file.unlink(missing_ok=True)


def has(lock: Lock) -> bool:
    """True for the lock of a run that this clone has seen to its end."""
    try:
        run = json.loads((_folder() / str(lock.pid)).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    own_time = run["began"] - _ROUNDING_SECONDS <= lock.moment() <= run["ended"] + _ROUNDING_SECONDS
    return bool(run["machine"] == lock.machine and own_time)


def _folder() -> Path:
    return WORK / "ended-runs"


def _age(file: Path) -> float:
    try:
        return -file.stat().st_mtime
    except FileNotFoundError:
        return 0.0
