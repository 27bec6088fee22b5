"""One run at a time on a folder, and its owner.

Nobody waits, and nobody breaks another's lock: the kernel frees it with its process, whatever killed it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from hostctl.core import atomic_file, folders
from hostctl.core.documents import parsed
from hostctl.core.errors import Refusal
from hostctl.core.timestamps import now


@contextmanager
def held(folder: str, reason: str) -> Generator[None]:
    """Hold `folder`/lock for the block; raises Refusal that names the holder when another process has it."""
    folders.make(folder, 0o750)
    path = os.path.join(folder, "lock")
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            raise Refusal(f"{_holder(handle)} holds {path}: wait until it has ended, then run again") from None
        owner = {"pid": os.getpid(), "uid": os.getuid(), "since": now(), "reason": reason}
        _note(handle, (json.dumps(owner) + "\n").encode())
        yield
    finally:
        os.close(handle)


def _note(handle: int, content: bytes) -> None:
    """Write the owner over the former one, in the block that the file has; the kernel's lock holds without it."""
    try:
        os.pwrite(handle, content, 0)
        os.ftruncate(handle, len(content))
    except OSError as error:
        if error.errno not in atomic_file.DISK_FULL:
            raise
        # No owner is better than the former one's name.
        os.ftruncate(handle, 0)


def owner(folder: str) -> dict[str, Any] | None:
    """The present holder of `folder`: {"pid", "uid", "since", "reason"}; None when there is none."""
    try:
        handle = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        unknown = {"pid": 0, "uid": 0, "since": "", "reason": "another hostctl"}
        return parsed(os.pread(handle, 4096, 0)) or unknown
    finally:
        os.close(handle)
    return None


def _holder(handle: int) -> str:
    try:
        holder = json.loads(os.pread(handle, 4096, 0))
        return f"another hostctl (process {holder['pid']}, {holder['reason']}, since {holder['since']})"
    except (ValueError, KeyError, TypeError):
        return "another hostctl"
