"""After a killed run: its lock goes when its process is gone, and its operations are reported in one sentence."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from console.paths import ROOT
from ops.commands.up import up
from ops.engine import locks, orphans
from ops.engine.locks import Lock
from ops.engine.recovery import sentence
from ops.engine.run import LockHeld
from tests.engine.test_run import make_project, project, pytestmark, quiet, without_a_host

__all__ = ["project", "pytestmark"]

HERE = socket.gethostname()
REFUSAL = """\
error: the stack is currently locked by 2 lock(s). Either wait for the other process(es) to end or delete the lock file
  file:///s/.pulumi/locks/a.json?no_tmp_dir=true: created by root@vps (pid 30024) at 2026-11-24T11:06:25Z
  file:///s/.pulumi/locks/b.json?no_tmp_dir=true: created by me@laptop (pid 7) at 2026-11-24T11:06:26Z
"""


def test_every_lock_of_the_engines_refusal_is_read() -> None:
    assert locks.locks(REFUSAL) == [
        Lock("root", "vps", 30024, "2026-11-24T11:06:25Z"),
        Lock("me", "laptop", 7, "2026-11-24T11:06:26Z"),
    ]
    assert locks.locks("[409] Conflict: Another update is currently in progress.") == []


@contextmanager
def running_pulumi() -> Generator[subprocess.Popen[bytes]]:
    """A process that lives for the block and bears the engine's name."""
    command = ["pulumi", "-c", "echo up; read"]
    with subprocess.Popen(command, executable="/bin/bash", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline() == b"up\n"
        yield process
        process.kill()


def test_a_lock_is_dead_only_when_its_process_is_gone_from_this_machine() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert Lock("root", HERE, ended.pid, "").is_stale()
    assert Lock("root", HERE, os.getpid(), "").is_stale(), "another program has its number by now"
    assert not Lock("root", "another-machine", ended.pid, "").is_stale()
    with running_pulumi() as running:
        assert not Lock("root", HERE, running.pid, "").is_stale()
        assert Lock("root", HERE, running.pid, "2001-01-01T00:00:00Z").is_stale(), "the machine has booted since"


def test_a_folder_that_another_machine_has_used_proves_nothing(tmp_path: Path) -> None:
    variables = {"PULUMI_BACKEND_URL": f"file://{tmp_path}"}
    assert not locks.is_of_this_machine_alone(variables)
    locks.note_machine(variables)
    assert locks.is_of_this_machine_alone(variables)
    (tmp_path / locks.MACHINES / "0123456789abcdef").touch()
    assert not locks.is_of_this_machine_alone(variables)


def test_a_lock_of_a_shared_backend_is_nobodys_to_take() -> None:
    variables = {"PULUMI_BACKEND_URL": "s3://states"}
    locks.note_machine(variables)
    assert not locks.is_of_this_machine_alone(variables)


def test_an_operation_that_was_cut_off_is_one_sentence() -> None:
    operation = {"type": "creating", "resource": {"urn": "urn:pulumi:lab::p::t$command:local:Command::handover-port"}}
    assert sentence(operation) == (
        "A killed run was creating handover-port: the host shows what was done, and what is missing is done again."
    )


def test_only_what_a_run_had_begun_to_create_may_be_its_orphan() -> None:
    def operation(kind: str, **inputs: str) -> dict[str, Any]:
        return {"type": kind, "resource": {"urn": "u::t::n", "inputs": inputs}}

    pending = [operation("creating", name="sentinel-postgres"), operation("creating"), operation("deleting", name="b")]
    assert orphans.begun(pending) == ["sentinel-postgres"]


RUN = "import sys; from tests.unit.ops.test_recovery import up_in; up_in(sys.argv[1])"


def up_in(folder: str) -> None:
    """`up` in a process of its own, on the small project in that folder."""
    from ops.engine import environment, prerequisites, run

    run.ROOT = Path(folder)
    environment.STATE = run.ROOT / ".state"
    environment.PULUMI_HOME = run.ROOT / "pulumi-home"
    prerequisites.make_ready = lambda stack, progress: None
    without_a_host(setattr)
    up("elsewhere", quiet(run.ROOT)[0], yes=True)


def test_a_run_at_work_is_named_and_a_killed_ones_lock_is_taken_away(project: Path) -> None:
    started = project / "started"
    os.mkfifo(started)
    make_project(project, program=f"import time\nopen({str(started)!r}, 'w').write('now')\ntime.sleep(600)\n")
    running = subprocess.Popen(
        [sys.executable, "-c", RUN, str(project)], cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True
    )
    assert started.read_text() == "now"
    make_project(project)
    progress, out = quiet(project)
    holder = rf"root on {HERE} \(process \d+\) has held the stack's lock since 20"
    with pytest.raises(LockHeld, match=holder) as refused:
        up("elsewhere", progress, yes=True)
    engine_process = int(str(refused.value).partition("(process ")[2].partition(")")[0])
    # The command that had started the engine goes first: it would see the end, and note whose lock that leaves.
    running.kill()
    running.wait(60)
    os.kill(engine_process, signal.SIGKILL)
    other = project / ".state" / "elsewhere" / locks.MACHINES / "of-another-machine"
    other.touch()
    with pytest.raises(LockHeld, match=r"when you know on .* that it was killed, run `pulumi cancel`"):
        up("elsewhere", progress, yes=True)
    other.unlink()
    done = up("elsewhere", progress, yes=True)
    assert done.ok
    assert "An earlier run left its lock" in out.getvalue()
