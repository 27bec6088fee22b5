"""A box from nothing to running, through a power cut, and back to nothing.

There are two moves only. `halt` ends everything that runs, as hard as a power cut; `boot` starts it from the files.
`up` is both unless the box stands, `reboot` is both, `down` is halt and then the files. So a run that was killed
anywhere is healed by the next `up` or `down`: both begin with `halt`, which works from names and not from records.

Owns: the order of things, the folders in /run, what counts as an orphan.
Deliberately does not: put anything into the box (images, ContextForge: lab/sandbox.py).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from console.errors import UserError
from console.progress import Progress
from lab.box import cgroups, daemon, facts, home, lock, mounts, network, outside, processes, ssh, tools
from lab.box.facts import Box, Process
from lab.box.place import Place

_SSHD_FOLDER = Path("/run/sshd")
_SHARED = (
    network.NAMESPACES,
    Path("/run/docker"),
    Path("/run/docker/plugins"),
    daemon.SHIM_SOCKETS.parent,
    daemon.SHIM_SOCKETS,
    _SSHD_FOLDER,
)
"""Folders that `ip`, dockerd and sshd insist on outside the lab's own; taken away again when we were the first."""


@dataclass(frozen=True)
class Status:
    """`problems` is empty when the box stands; `box` is None when there is none."""

    box: Box | None
    problems: tuple[str, ...]

    @property
    def stands(self) -> bool:
        return self.box is not None and not self.problems


def up(place: Place, progress: Progress) -> Box:
    """The running box; returns at once when it stands already."""
    tools.require(progress)
    with lock.held(place.lock, "lab up", progress.line) as held:
        seen = status(place)
        if seen.box is not None and seen.stands:
            return seen.box
        with progress.step("Starting the VPS") as step:
            step.say("removing orphans of a former run")
            _halt(place)
            return _boot(place, held, step.say)


def reboot(place: Place, progress: Progress) -> Box:
    """A power cut and a start: processes die at once, /run and the firewall are empty, files stay."""
    tools.require(progress)
    with lock.held(place.lock, "lab reboot", progress.line) as held:
        if not place.folder.exists():
            raise UserError("There is no lab to reboot; start it with `make up`.")
        with progress.step("Rebooting the VPS") as step:
            _halt(place)
            return _boot(place, held, step.say)


def restart_docker(place: Place, progress: Progress) -> Box:
    """dockerd ends in order and starts again; the firewall's tables, sshd and the network stay as they are."""
    with lock.held(place.lock, "lab restart of dockerd", progress.line), progress.step("Restarting dockerd"):
        box = facts.read(place.facts)
        if box is None:
            raise UserError("There is no lab whose dockerd could restart; start it with `make up`.")
        for process in box.processes:
            if process.name == "dockerd":
                processes.end_in_order(process)
        others = tuple(process for process in box.processes if process.name != "dockerd")
        restarted = box.model_copy(update={"processes": (daemon.start(place), *others)})
        facts.write(place.facts, restarted)
        return restarted


def down(place: Place, progress: Progress) -> None:
    """Nothing is left: no process, namespace, mount, cgroup, folder in /run, nor `.lab`."""
    with lock.held(place.lock, "lab down", progress.line):
        if not orphans(place):
            return
        tools.require_system()
        with progress.step("Removing the VPS") as step:
            step.say("ending its processes")
            _halt(place)
            step.say("removing its files")
            _remove_shared(place)
            # A file that somebody still writes cannot be removed; `orphans` names it below.
            shutil.rmtree(place.folder, ignore_errors=True)
    left = orphans(place)
    if left:
        raise UserError(f"The lab could not be removed whole: {'; '.join(left)}; run `make down` again.")


def status(place: Place) -> Status:
    box = facts.read(place.facts)
    if box is None:
        return Status(None, ("there is no lab",) if not place.folder.exists() else ("the lab is not complete",))
    if box.hardened != place.hardened:
        return Status(box, ("it has the other profile",))
    problems = [f"{process.name} is not running" for process in box.processes if not processes.alive(process)]
    if not network.standing(place):
        problems.append("its network is not there")
    elif not problems:
        if not daemon.answers(place.docker_socket):
            problems.append("dockerd does not answer")
        if not ssh.answers(place):
            problems.append("sshd does not answer")
    return Status(box, tuple(problems))


def orphans(place: Place) -> list[str]:
    """Everything of this lab that exists, each as a short phrase; empty after `down`."""
    running = processes.survivors(place, _recorded_processes(place))
    found = [f"process {pid} ({command[:80]})" for pid, command in running.items()]
    found += [f"network namespace {name}" for name in network.remaining(place)]
    found += [f"mount {point}" for point in mounts.below([place.run, place.folder])]
    found += [f"cgroup {folder}" for folder in cgroups.folders(place)]
    found += [f"socket {socket_file}" for socket_file in daemon.shim_sockets(place)]
    found += [f"folder {folder}" for folder in (place.run, place.folder) if folder.exists()]
    return found


def _halt(place: Place) -> None:
    """End everything that runs. Works from names, so that it needs no record."""
    processes.end_all(place, _recorded_processes(place))
    mounts.undo([place.run, place.folder])
    network.remove(place)
    cgroups.remove(place)
    for socket_file in daemon.shim_sockets(place):
        socket_file.unlink(missing_ok=True)
    shutil.rmtree(place.run, ignore_errors=True)


def _boot(place: Place, held: int, say: Callable[[str], None]) -> Box:
    """Start everything from the files; the record is written when all of it answers."""
    for folder in (place.folder, place.logs, place.bin):
        folder.mkdir(parents=True, exist_ok=True)
    place.folder.chmod(0o700)
    _note_shared(place)
    place.run.mkdir(mode=0o755)
    say("network")
    network.lay(place, held)
    home.furnish(place)
    ssh.make_keys(place)
    say("the outside")
    others = outside.start(place)
    say("sshd")
    server = ssh.start(place)
    say("what cron runs at @reboot")
    home.run_at_boot(place)
    say("dockerd")
    docker = daemon.start(place)
    before = facts.read(place.facts)
    box = Box(
        id=place.id,
        vps=place.vps,
        wan=place.wan,
        docker_socket=str(place.docker_socket),
        ssh=ssh.facts(place),
        home=str(place.home),
        folder=str(place.product),
        hardened=place.hardened,
        images=before.images if before else {},
        processes=(docker, server, *others),
    )
    facts.write(place.facts, box)
    return box


def _recorded_processes(place: Place) -> tuple[Process, ...]:
    box = facts.read(place.facts)
    return box.processes if box else ()


def _note_shared(place: Place) -> None:
    """Before anything makes them: which of the shared folders were not there when the lab first started."""
    note = place.folder / "made.json"
    if not note.exists():
        candidate = note.with_name(note.name + ".new")
        candidate.write_text(json.dumps([str(folder) for folder in _SHARED if not folder.exists()]) + "\n")
        candidate.rename(note)
    # sshd wants its folder to exist before it starts.
    _SSHD_FOLDER.mkdir(mode=0o755, exist_ok=True)


def _remove_shared(place: Place) -> None:
    """Only those that we were the first to need, and only while nobody else uses them (they are empty)."""
    note = place.folder / "made.json"
    made = cast(list[str], json.loads(note.read_text())) if note.exists() else []
    for folder in sorted((folder for folder in _SHARED if str(folder) in made), reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            mounts.undo([folder])
            folder.rmdir()
