"""Room on a disk for a dump or its restored copy, before either begins.

Deliberately does not: make room, or promise that it stays.
"""

from __future__ import annotations

import os

from hostctl.docker.engine import Engine

SHARE = 1.5
"""Times the dump's size: a restored copy has indexes, and others write meanwhile."""
MEGABYTE = 1 << 20


def disk_of(folder: str) -> os.statvfs_result:
    """The folder's disk; a folder that does not exist yet counts as the one above it. Raises OSError."""
    return os.statvfs(existing(folder))


def existing(path: str) -> str:
    """The path, or its nearest ancestor that exists."""
    while not os.path.exists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def lacking(folder: str, dump_bytes: int) -> str:
    """A phrase on what the folder's disk lacks for that dump; empty where there is room, or where nothing is known."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return ""
    free, needed = disk.f_bavail * disk.f_frsize, int(dump_bytes * SHARE)
    if free >= needed:
        return ""
    return f"{folder} has {free // MEGABYTE} MB free, and {-(-needed // MEGABYTE)} MB are needed"


def dockers_folder(engine: Engine) -> str:
    """The folder in which Docker keeps its volumes, where the database and a restored copy are."""
    return str(engine.get("/info").get("DockerRootDir") or "/")
