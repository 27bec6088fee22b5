"""A small disk in a folder's place, in memory: a disk that is full, without filling the machine's.

Owns: mounting it, filling it, and taking it away with all that was written there.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.box import mounts

_BLOCK = 1 << 16


def mount(folder: Path, megabytes: int) -> None:
    """Hide the folder's contents behind an empty disk of its owner and mode."""
    folder.mkdir(parents=True, exist_ok=True)
    as_it_is = folder.stat()
    options = f"size={megabytes}m,mode={as_it_is.st_mode & 0o7777:o},uid={as_it_is.st_uid},gid={as_it_is.st_gid}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)


def fill(file: Path) -> None:
    """Write to the file until the disk that it is on has no byte left."""
    for size in (_BLOCK, 1):
        with file.open("ab", buffering=0) as filler:
            try:
                while filler.write(b"0" * size) == size:
                    pass
            except OSError:
                continue


def unmount(folder: Path) -> None:
    """Bring the folder's own contents back; nothing happens where there is no such disk."""
    mounts.undo([folder])
