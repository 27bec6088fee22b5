"""Folders of the product, made with their modes whatever the umask, and opened without following a link.

Deliberately does not: change a folder that exists, except by `make_exactly`.
"""

from __future__ import annotations

import errno
import os
import stat

ABOVE_MODE = 0o755
"""Of the folders above one of ours: the operator's own programs pass through them."""


def make(path: str, mode: int) -> None:
    """Make the folder, and those above it that are missing. Raises OSError."""
    missing: list[str] = []
    at = os.path.abspath(path)
    while not os.path.isdir(at):
        missing.append(at)
        at = os.path.dirname(at)
    for folder in reversed(missing):
        try:
            os.mkdir(folder, 0o700)
        except FileExistsError:
            if not os.path.isdir(folder):
                raise
            continue
        os.chmod(folder, mode if folder == missing[0] else ABOVE_MODE)


def make_exactly(path: str, mode: int, uid: int = -1, gid: int = -1) -> None:
    """Make the folder, and give it this mode and owner also where it exists. Raises OSError."""
    make(path, mode)
    handle = opened(followed(path))
    try:
        status = os.fstat(handle)
        if (uid, gid) != (-1, -1) and (status.st_uid, status.st_gid) != (uid, gid):
            os.fchown(handle, uid, gid)
        if stat.S_IMODE(status.st_mode) != mode:
            os.fchmod(handle, mode)
    finally:
        os.close(handle)


def opened(path: str) -> int:
    """A descriptor of the folder, reached without a link in any part of its path. Raises OSError."""
    flags = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    parts = [part for part in os.path.abspath(path).split(os.sep) if part]
    handle = os.open("/", flags)
    try:
        for number, part in enumerate(parts, 1):
            # Those above need only be passed through, which this user may be allowed to without reading them.
            inner = os.open(part, flags | (os.O_RDONLY if number == len(parts) else os.O_PATH), dir_fd=handle)
            os.close(handle)
            handle = inner
    except OSError as error:
        os.close(handle)
        raise OSError(error.errno, error.strerror, path) from None
    return handle


def followed(path: str) -> str:
    """The path behind every link in it, which each lead to what their own owner has.

    So a dotfile may be a link to the same user's file elsewhere, and no user can point root at a file that is not
    theirs. Raises OSError.
    """
    path = os.path.abspath(path)
    parts = path.split(os.sep)[1:]
    for count in range(1, len(parts) + 1):
        part = os.sep + os.sep.join(parts[:count])
        if not os.path.islink(part):
            continue
        owner, target = os.lstat(part).st_uid, os.path.realpath(part)
        existing = target
        while not os.path.lexists(existing):
            existing = os.path.dirname(existing)
        if os.geteuid() == 0 and owner not in (0, os.lstat(existing).st_uid):
            raise OSError(errno.ELOOP, f"it is a link of user {owner} to what belongs to another user", part)
    return os.path.realpath(path)
