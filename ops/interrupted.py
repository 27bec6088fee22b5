"""What a killed run left behind, told in one sentence each, and repaired where that is safe.

A killed engine leaves its lock on the stack, and operations that it had begun. The lock is taken away only when the
process that holds it is dead on this very machine. Every action on the host is idempotent and is simply done again;
of what Docker made and the state does not know, containers of ours that hold no port and networks of ours without
containers are removed, since the engine would make them again under the same name.

Owns: `up`, the one way in which these commands run the engine's update; the sentences.
Deliberately does not: touch a lock of another machine, or anything that carries no label of ours.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pulumi import automation
from pulumi.automation import errors

from components.settings import Settings
from ops import asking, host
from ops.engine import LockHeld, color, told_in_one_sentence
from ops.paths import WORK
from ops.progress import Progress

BUSY_SECONDS = 120.0
"""A handover that outlived its engine ends within its own limits: a predecessor's start, and an undo."""

LOCKED_BY = re.compile(r"created by (?P<user>\S+)@(?P<machine>\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)")
"""The engine's own words on a lock of a file backend (pkg/backend/diy/lock.go); services tell no process."""

Done = TypeVar("Done")


@dataclass(frozen=True)
class Lock:
    """Who holds a stack's lock."""

    user: str
    machine: str
    pid: int
    since: str

    def left_by_the_dead(self) -> bool:
        """Whether its process ran on this machine and is gone; a pid that something else has by now counts as gone."""
        if self.machine != socket.gethostname():
            return False
        try:
            words = Path(f"/proc/{self.pid}/cmdline").read_bytes()
            return b"pulumi" not in words and Path("/proc/self").exists()
        except FileNotFoundError:
            return Path("/proc/self").exists()

    def told(self) -> str:
        return f"{self.user} on {self.machine} (process {self.pid}) has held the stack's lock since {self.since}"


def locks(said: str) -> list[Lock]:
    """Every lock that the engine's refusal names, such as `created by root@vps (pid 41) at 2026-11-24T11:06:25Z`."""
    return [Lock(one["user"], one["machine"], int(one["pid"]), one["since"]) for one in LOCKED_BY.finditer(said)]


def up(opened: automation.Stack, stack: str, progress: Progress) -> automation.UpResult:
    """The engine's update, after what a killed run left has been put right."""
    mend(opened, stack, progress)
    return alone(
        opened,
        f"pulumi up of stack {stack}",
        progress,
        lambda: opened.up(on_output=progress.line, color=color(), suppress_progress=True, show_secrets=False),
    )


def alone(opened: automation.Stack, what: str, progress: Progress, run: Callable[[], Done]) -> Done:
    """Runs what needs the stack's lock; a dead run's lock is taken away, a living one's holder is named."""
    with told_in_one_sentence(what):
        try:
            return run()
        except errors.ConcurrentUpdateError as error:
            held = locks(str(error))
            if not held:
                raise
            if not all(lock.left_by_the_dead() for lock in held):
                living = next(lock for lock in held if not lock.left_by_the_dead())
                raise LockHeld(f"{what} did not start: {living.told()}; wait until it has ended.") from None
        for lock in held:
            progress.line(f"A killed run left its lock ({lock.told()}); the process is gone, so the lock goes too.")
        opened.cancel()
        return run()


def mend(opened: automation.Stack, stack: str, progress: Progress) -> None:
    """Before a run: tells what was cut off, waits for an action that outlived its engine, clears what would be in the
    way."""
    deployment = host.deployment_of(opened, stack)
    pending: Sequence[Mapping[str, Any]] = deployment.get("pending_operations") or []
    note = WORK / f"interrupted-{stack}"
    if not pending and not note.exists():
        return
    settings = asking.settings_of(opened, stack)
    for sentence in told(pending):
        progress.line(sentence)
    WORK.mkdir(parents=True, exist_ok=True)
    note.touch()
    if any(one["type"] == "creating" for one in pending):
        alone(
            opened,
            f"clearing what was cut off in stack {stack}",
            progress,
            lambda: opened.refresh(clear_pending_creates=True, suppress_progress=True, show_secrets=False),
        )
    resources = host.resources_of(opened, stack)
    _wait_for_the_host(stack, settings, resources, progress)
    known = [str(one["id"]) for one in resources if one.get("id")]
    removed = host.run(stack, settings, "leftovers", "remove", {"known": known, "networks": _networks(settings)})
    for name in removed["removed"]:
        progress.line(f"{name} was made by a run that was killed before it was noted; it is removed, and made again.")
    note.unlink()


def told(pending: Sequence[Mapping[str, Any]]) -> list[str]:
    """One sentence for each operation that was cut off."""
    return [
        f"A killed run was {one['type']} {str(one['resource']['urn']).rpartition('::')[2]}: whether it was done is "
        "read from the host, and what is missing is done again."
        for one in pending
    ]


def _networks(settings: Settings) -> list[str]:
    return [settings.networks.internal, settings.networks.edge]


def _wait_for_the_host(
    stack: str, settings: Settings, resources: Sequence[Mapping[str, Any]], progress: Progress
) -> None:
    """`hostctl` finishes a handover although its engine was killed; two at once would refuse each other."""
    document = host.handover_document(resources, settings)
    end = time.monotonic() + BUSY_SECONDS
    said = False
    while busy := host.run(stack, settings, "handover", "status", document)["busy"]:
        if time.monotonic() > end:
            raise LockHeld(f"{busy['reason']} (process {busy['pid']}) is at work on the host since {busy['since']}.")
        if not said:
            progress.line(f"{busy['reason']} of the killed run is at work on the host since {busy['since']}; waiting …")
            said = True
        time.sleep(0.2)
