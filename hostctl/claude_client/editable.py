"""Files of Claude's that cannot be edited in one step, found before anything depends on it.

A file is replaced by a rename in its folder, so that the folder must take a new file, and the file must be no mount.
Deliberately does not: write anything.
"""

from __future__ import annotations

import fcntl
import os
import struct

from hostctl.core.errors import Refusal
from hostctl.docker import containers
from hostctl.docker.engine import Engine
from hostctl.docker.users import name_of, sources

_FLAGS, _IMMUTABLE, _APPEND = 0x80086601, 0x10, 0x20
"""ioctl_iflags(2)."""


def require_editable(file: str) -> None:
    """Raise Refusal where the file, or the one that it links to, cannot be replaced."""
    target = os.path.realpath(file)
    folder = os.path.dirname(target)
    reason = ""
    if not os.path.isdir(folder):
        reason = f"its folder {folder} does not exist"
    elif not os.access(folder, os.W_OK | os.X_OK):
        reason = f"its folder {folder} cannot be written"
    elif target in _mount_points():
        reason = "it is a mount, which no rename can replace"
    elif _is_locked(target) or _is_locked(folder):
        reason = f"{target} or its folder is immutable (chattr)"
    if reason:
        raise Refusal(f"{file} cannot be edited: {reason}; fix that, or correct client.file, then run again")


def mounted_by(engine: Engine, file: str) -> list[str]:
    """The containers that mount this very file: they keep the former one until they restart."""
    target = os.path.realpath(file)
    return sorted(name_of(row) for row in containers.listed(engine) if target in map(os.path.realpath, sources(row)))


def _mount_points() -> set[str]:
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            fields = [line.split()[4] for line in file]
    except OSError:
        return set()
    return {field.encode().decode("unicode_escape") if "\\" in field else field for field in fields}


def _is_locked(path: str) -> bool:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        flags = struct.unpack("l", fcntl.ioctl(handle, _FLAGS, struct.pack("l", 0)))[0]
    except OSError:
        return False
    finally:
        os.close(handle)
    return bool(flags & (_IMMUTABLE | _APPEND))
