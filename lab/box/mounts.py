"""Mounts below the lab's folders, which a killed dockerd leaves.

Owns: finding and undoing the mounts below some folders.
Deliberately does not: mount anything.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Sequence
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_OCTAL = re.compile(r"\\([0-7]{3})")
_DETACH = 2
"""MNT_DETACH of umount(2)."""


def below(folders: Sequence[Path]) -> list[Path]:
    """Mount points below the folders, innermost and latest first."""
    found: list[Path] = []
    for line in _MOUNTS.read_text().splitlines():
        point = Path(_OCTAL.sub(lambda match: chr(int(match[1], 8)), line.split()[4]))
        if any(point.is_relative_to(folder) for folder in folders):
            found.append(point)
    return list(reversed(found))


def undo(folders: Sequence[Path]) -> None:
    """Detach every mount below the folders; raises OSError when one of them stays."""
    library = ctypes.CDLL(None, use_errno=True)
    for point in below(folders):
        if library.umount2(os.fsencode(point), _DETACH) and ctypes.get_errno() not in (22, 2):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(point))
