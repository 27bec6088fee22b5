"""Files for a container's user, made by an ordinary user of the host.

Root gives a file to the container's user. Nobody else can give a file away: it stays its maker's, and the container
reads it by its group. A one-shot container sets that group, and has the folder hand it on to each later file (setgid),
so that a file that is replaced under a running container needs no other one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from hostctl.core.errors import Refusal
from hostctl.docker import one_shot
from hostctl.docker.engine import Engine
from hostctl.docker.one_shot import OneShot, any_image, host_programs

SECONDS = 60.0
_INSIDE = "/shared"
_SCRIPT = """
while [ $# -gt 1 ]; do chgrp -h "$1" "$2"; shift 2; done
chmod "$1" /shared
"""


def given_away() -> bool:
    """True where this user may give a file to another one."""
    return os.geteuid() == 0


def mode_for(mode: int) -> int:
    """The file's mode with its owner's right to read for its group, through which the container's user has it."""
    return mode | (mode & 0o400) >> 3


def share(docker_socket: str, folder: str, mode: int, gid: int, files: Mapping[str, int]) -> None:
    """Give the folder its mode, and folder and files (name: group) to their groups; raises Refusal.

    Nothing happens where all of it is so already. A group of -1, and what everybody may read, stays as it is.
    """
    names = {name: group for name, group in files.items() if _lacks(os.path.join(folder, name), group)}
    status = os.stat(folder)
    if gid == -1 or mode & stat.S_IXOTH:
        wanted, handed = mode, {}
    else:
        wanted, handed = mode | stat.S_ISGID, {} if status.st_gid == gid else {".": gid}
    if not names and not handed:
        if stat.S_IMODE(status.st_mode) == wanted:
            return
        if not wanted & stat.S_ISGID:
            os.chmod(folder, wanted)
            return
    groups = [text for name, group in {**names, **handed}.items() for text in (str(group), f"{_INSIDE}/{name}")]
    engine = Engine(docker_socket)
    container = OneShot(
        any_image(engine),
        ("/bin/sh", "-eu", "-c", _SCRIPT, "share", *groups, f"{wanted:04o}"),
        # The folder is another user's than this root, who has no rights but these.
        capabilities=("CHOWN", "DAC_READ_SEARCH", "FOWNER", "FSETID"),
        files=host_programs(),
        writable_files={_INSIDE: folder},
    )
    code, output = one_shot.run(engine, container, SECONDS)
    if code:
        raise Refusal(
            f"a one-shot container could not give {folder} to the container's group ({output or code}): give this "
            "user's Docker the right to change it (no remapped user namespaces), or run as root"
        )


def _lacks(path: str, group: int) -> bool:
    status = os.stat(path)
    return group != -1 and not status.st_mode & stat.S_IROTH and status.st_gid != group
