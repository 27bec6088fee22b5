"""The start of the near end, by whoever needs the host first.

Owns: the folder of its socket, and that one process at most holds a connection to a host.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

from verify.link.near_end import NotReached, lock_of
from verify.link.target import Target

ROOT = Path(__file__).resolve().parents[2]
READY = "ready"


def ensure(target: Target) -> None:
    """A connection stands and can be used by `target.command_line`. Raises NotReached with one sentence."""
    path = target.socket()
    _private(path.parent)
    if _answers(path):
        return
    with lock_of(path).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _answers(path):
            return
        process = subprocess.Popen(
            [sys.executable, "-S", "-m", "verify.link", "hold", *map(str, astuple(target))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            start_new_session=True,
        )
        assert process.stdout
        said = process.stdout.readline().decode().strip()
        if said == READY:
            process.stdout.close()
            return
        said = "\n".join(filter(None, [said, process.stdout.read().decode().strip()]))
        process.wait()
    raise NotReached(_advised(said or "the process that holds the connection ended without a word", target))


def command_line(target: Target, command: Sequence[str]) -> list[str]:
    """The command line that runs `command` there over a connection that it starts where none stands.

    It is run in the repository's folder, by a Python that comes first.
    """
    return ["-S", "-m", "verify.link", "run", *map(str, astuple(target)), *command]


def _private(folder: Path) -> None:
    """Only this user may reach the socket: whoever does acts on the host."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise NotReached(f"{folder} cannot be made for ssh's connection ({error.strerror}): make it yourself") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise NotReached(f"{folder} is not a folder of yours alone: remove it, or run `chmod 700 {folder}`")


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _advised(said: str, target: Target) -> str:
    if "Permission denied" in said:
        fix = f"add {target.private_key_file} to your agent (`ssh-add`), or correct host.user and host.private_key_file"
    elif "verification failed" in said:
        fix = "set host.host_key to the host's own key, once you know that it is your host"
    elif "python3" in said:
        fix = "install python3 there"
    else:
        fix = "check the network, host.address and host.port"
    last = said.splitlines()[-1].rstrip(".")
    return f"{last}: {fix}, then run the same command again, which continues."
