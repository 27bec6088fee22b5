"""One change of the lab at a time: a lock that says who holds it, since when and why.

The kernel lets go of it when its holder dies, so a killed run never blocks the next one.

Owns: the lock file and its text.
Deliberately does not: end the holder, or break its lock.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path


@contextmanager
def held(path: Path, reason: str, say: Callable[[str], None]) -> Generator[int]:
    """Wait for the lock and give its descriptor; when somebody has it, `say` gets one sentence about who does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno != errno.EWOULDBLOCK:
                raise
            say(f"waiting for {describe(path)}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        owner = {"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds"), "reason": reason}
        os.ftruncate(handle, 0)
        os.pwrite(handle, (json.dumps(owner) + "\n").encode(), 0)
        yield handle
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def describe(path: Path) -> str:
    """The holder, as a sentence's end: `process 12, at "lab up" since 2026-11-24T01:00:00+00:00 (PATH)`."""
    try:
        owner = json.loads(path.read_text())
        return f'process {owner["pid"]}, at "{owner["reason"]}" since {owner["since"]} ({path})'
    except (ValueError, KeyError, FileNotFoundError):
        return f"another process that holds {path}"
