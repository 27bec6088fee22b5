"""Starts the lab's processes so that they can be found again, and ends those and no others.

Owns: starting a process in the lab's cgroup, its identity (pid and start time), ending everything in the cgroups.
Deliberately does not: know which processes there are.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lab.box import cgroups
from lab.box.facts import Process
from lab.box.place import Place

END_WITHIN_SECONDS = 20.0
_ROUND_SECONDS = 1.0
_STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# The shell joins the cgroup before it becomes the program: there is no moment at which the program is outside.
_JOIN_AND_RUN = 'echo $$ > "$0" && exec "$@"'


def start(
    place: Place, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> Process:
    """Start a program that outlives us, in a session of its own, with an environment of its own."""
    procs = cgroups.make_for_host(place)
    with log.open("ab") as out:
        child = subprocess.Popen(
            ["sh", "-c", _JOIN_AND_RUN, str(procs), *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={"PATH": _STANDARD_PATH, "LANG": "C.UTF-8", **(environment or {})},
            start_new_session=True,
        )
    started = start_ticks(child.pid)
    # Marked as reaped by us, else Python warns about a child that is meant to stay.
    child.returncode = 0
    if started is None:
        raise OSError(f"{name} ended at once, see {log}")
    return Process(name=name, pid=child.pid, started=started)


def start_ticks(pid: int) -> int | None:
    """Start time of a living process in clock ticks since boot; None when there is none, or only its zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # Fields are counted behind the name, which may hold blanks and brackets (proc(5)).
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])


def alive(process: Process) -> bool:
    return start_ticks(process.pid) == process.started


def end_in_order(process: Process) -> None:
    """Let it end and wait until it has. Raises OSError when it does not within 20 s."""
    handle = os.pidfd_open(process.pid)
    try:
        if not alive(process):
            return
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        if not poll.poll(END_WITHIN_SECONDS * 1000):
            raise OSError(f"{process.name} does not end within {END_WITHIN_SECONDS:.0f} s")
        _reap(handle)
    finally:
        os.close(handle)


def end_all(place: Place, recorded: Iterable[Process]) -> None:
    """Kill everything that the lab started, at once and hard, as a power cut does; returns when all of it is gone.

    Raises OSError when something survives for 20 s (a process in uninterruptible sleep).
    """
    deadline = time.monotonic() + END_WITHIN_SECONDS
    recorded = tuple(recorded)
    while victims := _living(place, recorded):
        if time.monotonic() > deadline:
            raise OSError(f"processes {sorted(victims)} do not end")
        handles = [handle for pid, ticks in victims.items() if (handle := _kill(pid, ticks)) is not None]
        # After the kill, so that a paused process dies without running again.
        cgroups.unpause(place)
        _wait_for_end(handles)


def survivors(place: Place, recorded: Iterable[Process]) -> dict[int, str]:
    """The lab's processes that still live: pid to command line."""
    return {pid: command_line(pid) for pid in sorted(_living(place, recorded))}


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _living(place: Place, recorded: Iterable[Process]) -> dict[int, int]:
    """Pid to start time. Not ourselves: `down` may be typed in an ssh session of the box."""
    pids = cgroups.members(place) | {process.pid for process in recorded if alive(process)}
    living = {pid: ticks for pid in pids if (ticks := start_ticks(pid)) is not None}
    living.pop(os.getpid(), None)
    return living


def _kill(pid: int, ticks: int) -> int | None:
    """Kill through a handle that is checked after it was opened: the pid cannot change hands in between."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if start_ticks(pid) != ticks:
        os.close(handle)
        return None
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except ProcessLookupError:
        os.close(handle)
        return None
    return handle


def _wait_for_end(handles: Sequence[int]) -> None:
    deadline = time.monotonic() + _ROUND_SECONDS
    waiting = set(handles)
    poll = select.poll()
    for handle in handles:
        poll.register(handle, select.POLLIN)
    while waiting and time.monotonic() < deadline:
        for handle, _ in poll.poll(100):
            poll.unregister(handle)
            waiting.discard(handle)
            _reap(handle)
    for handle in handles:
        os.close(handle)


def _reap(handle: int) -> None:
    """A child of ours is a zombie until somebody waits for it."""
    try:
        os.waitid(os.P_PIDFD, handle, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return
