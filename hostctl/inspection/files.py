"""Files and folders on the host: free space, the product's own folder, the operator's scripts, Claude's file."""

from __future__ import annotations

import os
from collections.abc import Iterator

from hostctl.host.free_space import disk_of, existing
from hostctl.inspection.finding import Finding
from hostctl.inspection.request import InspectRequest
from hostctl.schedule import script_runner, work_tree

NEEDED_GB = 4
"""The images of the stack and their layers, a database, its backups."""
_GB = 1024**3


def space(request: InspectRequest, docker_root: str) -> Iterator[Finding]:
    """Free space for Docker's data and for the product's folder."""
    for place in dict.fromkeys((docker_root, request.folder)):
        if not place:
            continue
        disk = disk_of(place)
        free = disk.f_bavail * disk.f_frsize / _GB
        found = f"{free:.1f} GB free for {place}"
        if free < NEEDED_GB:
            yield Finding("disk", "problem", found, f"free at least {NEEDED_GB} GB there")
        else:
            yield Finding("disk", "ok", found)


def folders(request: InspectRequest) -> Iterator[Finding]:
    """The product's folder and that of the backups can be written, or made."""
    for key, path in (("host.folder", request.folder), ("nightly.folder", request.backups)):
        if not path:
            continue
        present = existing(path)
        if os.access(present, os.W_OK | os.X_OK):
            yield Finding("folder", "ok", f"{path}{'' if present == path else ' will be made'}")
        else:
            yield Finding(
                "folder",
                "problem",
                f"this user may not write {present}, and {key} is {path}",
                f"run as root, or set {key} to a folder in the operator's home",
            )


def scripts(request: InspectRequest) -> Iterator[Finding]:
    """The operator's scripts exist, and something runs them."""
    for named in request.scripts:
        key, script = named.key, named.path
        if not os.path.exists(script):
            yield Finding(
                "scripts", "problem", f"{script} ({key}) does not exist", f"correct {key}, or create the script"
            )
            continue
        repository = work_tree.tracking(script)
        if repository:
            yield Finding("scripts", "note", f"git tracks {script} ({key}) in {repository}")
        runner = script_runner.of(script, request.cron_folder)
        if runner is None:
            yield Finding("scripts", "note", f"no table that this user may read runs {script} ({key})")
        else:
            yield Finding("scripts", "ok", f"{script} ({key}) is run by {runner.table} as {runner.user}")


def claude(request: InspectRequest) -> Iterator[Finding]:
    """Claude's file, its owner, and whether this user may replace it."""
    path = os.path.realpath(request.claude_file)
    if not os.path.exists(path):
        yield Finding("claude", "note", f"{request.claude_file} does not exist: a new one is written")
    elif not os.access(path, os.R_OK | os.W_OK) or not os.access(os.path.dirname(path), os.W_OK):
        yield Finding(
            "claude",
            "problem",
            f"this user may not replace Claude's file {request.claude_file}",
            "run as its owner or as root, or correct client.file",
        )
    else:
        yield Finding("claude", "ok", request.claude_file)
