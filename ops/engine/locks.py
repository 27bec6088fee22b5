"""The stack's locks in a folder backend: whose they are, and which belong to a run that is gone.

The engine's lock names a user, a host name and a process, and a host name proves nothing. So each machine that works
with a folder leaves its own id there (machine-id(5), or its boot's where it has none), and a lock counts as this
machine's only in a folder that no other machine has used. Its run is gone when its process is, or when the machine has
booted since.

Owns: these ids, and the reading of the engine's refusal. Deliberately does not: judge a lock of a shared backend.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hostctl.host import machine

LOCKED_BY = re.compile(r"created by (?P<user>\S+)@(?P<machine>\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)")
"""The engine's message on a lock of a file backend (pkg/backend/diy/lock.go); services name no process."""

MACHINES = "machines"
"""The folder beside `.pulumi` with a file for each machine that has used the backend."""
_PROCESSES = Path("/proc")


@dataclass(frozen=True)
class Lock:
    """The holder of a stack's lock."""

    user: str
    machine: str
    pid: int
    since: str

    def is_stale(self) -> bool:
        """True when its process, which ran on this machine, is gone; another program may have its number by now."""
        if self.machine != socket.gethostname() or not (_PROCESSES / "self").exists():
            return False
        if self.moment() < booted():
            return True
        try:
            return b"pulumi" not in (_PROCESSES / str(self.pid) / "cmdline").read_bytes()
        except FileNotFoundError:
            return True

    def moment(self) -> float:
        """The moment since which it is held, in seconds since 1970; infinite where it cannot be read."""
        try:
            return datetime.fromisoformat(self.since.replace("Z", "+00:00")).timestamp()
        except ValueError:
            return float("inf")

    def fix(self) -> str:
        """The advice on a lock that is not removed."""
        if self.machine == socket.gethostname() and not self.is_stale():
            return "wait until it has ended"
        return f"wait until it has ended, or, when you know on {self.machine} that it was killed, run `pulumi cancel`"

    def __str__(self) -> str:
        return f"{self.user} on {self.machine} (process {self.pid}) has held the stack's lock since {self.since}"


def locks(refusal: str) -> list[Lock]:
    """Every lock that the engine's refusal names, such as `created by root@vps (pid 41) at 2026-11-24T11:06:25Z`."""
    return [
        Lock(match["user"], match["machine"], int(match["pid"]), match["since"])
        for match in LOCKED_BY.finditer(refusal)
    ]


def note_machine(variables: Mapping[str, str]) -> None:
    """Leave this machine's id in the backend's folder; nothing for another backend, or without an id."""
    folder, own = _folder(variables), identity()
    if folder is None or not own or (folder / own).exists():
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / own).touch(mode=0o600)


def is_of_this_machine_alone(variables: Mapping[str, str]) -> bool:
    """True where no other machine has used the backend, which is a folder."""
    folder, own = _folder(variables), identity()
    return folder is not None and bool(own) and folder.is_dir() and [path.name for path in folder.iterdir()] == [own]


def identity() -> str:
    """The machine's id; without one that of its boot, and empty without either."""
    try:
        return machine.identity() or (_PROCESSES / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def booted() -> float:
    """The moment of this machine's last boot, in seconds since 1970; 0 where it is not known."""
    try:
        text = (_PROCESSES / "stat").read_text(encoding="ascii")
    except OSError:
        return 0.0
    match = re.search(r"^btime (\d+)$", text, re.MULTILINE)
    return float(match[1]) if match else 0.0


def _folder(variables: Mapping[str, str]) -> Path | None:
    url = variables.get("PULUMI_BACKEND_URL", "")
    return Path(url.removeprefix("file://")) / MACHINES if url.startswith("file:///") else None
