"""Control groups, by which everything that the lab started is found again, and nothing else.

A process that is started in a cgroup stays in it with all its descendants, whoever dies in between. So a run that was
killed before it could write down a pid leaves nothing that cannot be found, and no pid is ever guessed.

Owns: the cgroup of the host's processes, the removal of it and of the containers' cgroups.
Deliberately does not: limit anything, nor create the containers' cgroups (Docker does, below `container_cgroup`).
"""

from __future__ import annotations

import os
from pathlib import Path

from lab.box.place import Place

_MOUNTS = Path("/proc/self/mountinfo")
_UNPAUSED = {"freezer.state": "THAWED", "cgroup.freeze": "0"}


def hierarchies() -> list[Path]:
    """Every mounted cgroup hierarchy: many with cgroup v1, one with v2 (cgroups(7))."""
    found: list[Path] = []
    for line in _MOUNTS.read_text().splitlines():
        fields = line.split()
        if fields[fields.index("-") + 1] in ("cgroup", "cgroup2"):
            found.append(Path(fields[4]))
    return sorted(set(found))


def make_for_host(place: Place) -> Path:
    """The file into which a process of the host writes its pid to join the host's cgroup."""
    folder = _preferred(hierarchies()) / place.host_cgroup
    folder.mkdir(exist_ok=True)
    return folder / "cgroup.procs"


def folders(place: Place) -> list[Path]:
    """Every cgroup of the lab, innermost first."""
    found: list[Path] = []
    for hierarchy in hierarchies():
        for name in (place.container_cgroup, place.host_cgroup):
            for current, _, _ in os.walk(hierarchy / name):
                found.append(Path(current))
    return sorted(found, key=lambda path: len(path.parts), reverse=True)


def members(place: Place) -> set[int]:
    """The pids of everything that the lab started and that is still alive."""
    found: set[int] = set()
    for folder in folders(place):
        try:
            found.update(int(pid) for pid in (folder / "cgroup.procs").read_text().split())
        except (FileNotFoundError, OSError):
            continue
    return found


def unpause(place: Place) -> None:
    """Let paused processes run: with cgroup v1 a kill reaches them only then. `docker pause` pauses."""
    for folder in folders(place):
        for name, value in _UNPAUSED.items():
            if (folder / name).exists():
                try:
                    (folder / name).write_text(value)
                except OSError:
                    continue


def remove(place: Place) -> None:
    for folder in folders(place):
        try:
            folder.rmdir()
        except OSError:
            continue


def _preferred(mounted: list[Path]) -> Path:
    """cgroup v2 where it is the whole of it, else v1's `pids`, in which nothing depends on where a process sits."""
    for hierarchy in mounted:
        if hierarchy.name == "pids":
            return hierarchy
    for hierarchy in mounted:
        if (hierarchy / "cgroup.controllers").exists():
            return hierarchy
    raise OSError("no cgroup hierarchy is mounted")
