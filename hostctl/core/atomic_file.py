"""Files that are whole or absent: written beside, synced, renamed.

Owns: `write`, `sync_folder`, the errors of a full disk. Deliberately does not: decide contents.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def write(
    path: str,
    content: bytes,
    mode: int | None = None,
    uid: int | None = None,
    gid: int | None = None,
    guard: Callable[[], None] | None = None,
) -> None:
    """Put `content` at `path` in one step; a symbolic link stays, and its target is written.

    A mode or owner that is None or -1 is the previous file's; a new file gets 0600 and the caller as owner. `guard`
    runs right before the rename; an exception that it raises leaves the file as it was. Raises OSError.
    """
    target = os.path.realpath(path)
    before = _stat(target)
    mode = mode if mode is not None else (stat.S_IMODE(before.st_mode) if before else 0o600)
    uid = uid if uid not in (None, -1) else (before.st_uid if before else -1)
    gid = gid if gid not in (None, -1) else (before.st_gid if before else -1)
    folder = os.path.dirname(target)
    handle, beside = tempfile.mkstemp(prefix=f".{os.path.basename(target)}.", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            _own(file.fileno(), uid, gid)
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        if guard is not None:
            guard()
        os.rename(beside, target)
    except BaseException:
        os.unlink(beside)
        raise
    sync_folder(folder)


def sync_folder(folder: str) -> None:
    """Make a rename or a new name in `folder` outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _own(handle: int, uid: int, gid: int) -> None:
    # A user who is not root may not even set the present owner.
    now = os.fstat(handle)
    if uid in (-1, now.st_uid) and gid in (-1, now.st_gid):
        return
    os.fchown(handle, uid, gid)


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None
