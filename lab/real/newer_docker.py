"""A Docker as an operator's VPS has it: newer than this machine's may be, on control groups of version 2 alone.

Owns: the root file system of Debian's newer suite with its Docker, made once below `.work`. A box runs its daemon in it
(`Place.docker`), on this machine's kernel.
Deliberately does not: limit memory or CPU where this machine gave the controllers to version 1. So no whole stack is
deployed there; it is for what Docker does with pausing, networks and ports.
"""

from __future__ import annotations

from pathlib import Path

from console.paths import WORK
from console.progress import Progress
from lab.box.lock import held
from lab.images.layers import Debian, scratch, unpack
from lab.images.store import CACHE, tidy

_SYSTEM = Debian(
    ("ca-certificates", "iptables", "docker.io"),
    leave_out=("/usr/share/perl/*", "/usr/lib/git-core/*", "/usr/lib/x86_64-linux-gnu/perl/*"),
)


def root(progress: Progress) -> Path:
    """The folder of the root file system; half a minute the first time."""
    folder = WORK / "docker" / _SYSTEM.key
    with held(folder.with_name("lock"), "making a newer Docker", progress.line):
        if not folder.exists():
            tidy()
            with progress.step("Making a newer Docker") as step, scratch(CACHE) as beside:
                archive, unpacked = beside / "system.tar", beside / "system"
                _SYSTEM.make(archive, CACHE, step)
                unpack(archive, unpacked)
                unpacked.rename(folder)
    return folder
