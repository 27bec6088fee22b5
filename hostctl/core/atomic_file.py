"""Files that are whole or absent: written beside, synced, renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable
from typing import BinaryIO

from hostctl.core import folders

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def write(
    path: str,
    content: bytes,
    mode: int | None = None,
    uid: int | None = None,
    gid: int | None = None,
    guard: Callable[[], None] | None = None,
) -> None:
    """Put `content` at `path` in one step; a symbolic link stays, and its target is written where its owner has it.

    A mode or owner that is None or -1 is the previous file's; a new file gets 0600 and the caller as owner. `guard`
    runs right before the rename; an exception that it raises leaves the file as it was. Raises OSError.
    """
    target = folders.followed(path)
    name = os.path.basename(target)
    # Nobody can put a link into the path after this: everything below happens in this very folder.
    folder = folders.opened(os.path.dirname(target))
    try:
        before = _stat(name, folder)
        mode = mode if mode is not None else (stat.S_IMODE(before.st_mode) if before else 0o600)
        uid = uid if uid not in (None, -1) else (before.st_uid if before else -1)
        gid = gid if gid not in (None, -1) else (before.st_gid if before else -1)
        beside = f".{name}.{secrets.token_hex(4)}"
        try:
            with _new(beside, folder, path) as file:
                file.write(content)
                file.flush()
                _own(file.fileno(), uid, gid)
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            if guard is not None:
                guard()
            os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(beside, dir_fd=folder)
            raise
        os.fsync(folder)
    finally:
        os.close(folder)


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


def _new(name: str, folder: int, path: str) -> BinaryIO:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.fdopen(os.open(name, flags, 0o600, dir_fd=folder), "wb")
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None


def _stat(name: str, folder: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
