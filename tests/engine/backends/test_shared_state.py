"""A state in S3 or PostgreSQL: every command of the operator's works with it, from any clone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from console.errors import UserError
from console.paths import ROOT
from ops.commands.down import down
from ops.commands.history import history
from ops.commands.preview import preview
from ops.commands.refresh import refresh
from ops.commands.up import up
from ops.engine import environment, run, state, state_copy
from ops.engine.run import LockHeld
from tests.engine.test_run import make_project, pytestmark, quiet

__all__ = ["pytestmark"]

SECRET = "of-the-tests"
"""The password in the database's address."""
IN_ANOTHER_PROCESS = "import sys; from tests.unit.ops.test_recovery import up_in; up_in(sys.argv[1])"


def test_the_operators_commands_run_on_a_shared_state(project: Path, backend: str) -> None:
    progress, out = quiet(project)
    assert preview("elsewhere", progress).ok
    done = up("elsewhere", progress, yes=True)
    assert done.ok and "keep       the state in " in done.text and SECRET not in done.text + out.getvalue()
    assert refresh("elsewhere", progress, yes=True).ok
    assert [row["kind"] for row in history("elsewhere", progress).document] == ["refresh", "update"]
    text = down("elsewhere", progress, yes=True).text
    assert "the history stays in " in text and SECRET not in text


def test_another_clone_has_the_same_state_and_no_local_one(project: Path, backend: str, tmp_path: Path) -> None:
    up("elsewhere", quiet(project)[0], yes=True)
    assert not (project / ".state" / "elsewhere").exists()
    shutil.rmtree(project / "pulumi-home")
    opened = run.open_stack("elsewhere", quiet(project)[0], create=False)
    assert state.outputs_of(opened, "elsewhere")["active"] == "sentinel"


def test_the_backend_is_the_copy_and_none_goes_to_the_host(project: Path, backend: str) -> None:
    up("elsewhere", quiet(project)[0], yes=True)
    assert state_copy._files("elsewhere") == {}  # pyright: ignore[reportPrivateUsage]


def test_the_passphrase_of_another_clone_is_required(project: Path, backend: str) -> None:
    up("elsewhere", quiet(project)[0], yes=True)
    (project / ".state" / "passphrase").unlink()
    with pytest.raises(UserError, match=r"copy \.state/passphrase of the clone that made the stack"):
        environment.variables("elsewhere")


def test_a_lock_in_a_shared_backend_is_never_taken_away(project: Path, backend: str) -> None:
    """Not even that of a process which is gone from this very machine: another one may have the same host name. The
    command that had started it is killed before it, and so has not seen its end."""
    started = project / "started"
    os.mkfifo(started)
    make_project(project, program=f"import time\nopen({str(started)!r}, 'w').write('now')\ntime.sleep(600)\n")
    running = subprocess.Popen(
        [sys.executable, "-c", IN_ANOTHER_PROCESS, str(project)], cwd=ROOT, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    assert started.read_text() == "now"
    make_project(project)
    with pytest.raises(LockHeld, match=r"the stack.s lock") as refused:
        up("elsewhere", quiet(project)[0], yes=True)
    running.kill()
    running.wait(60)
    named = str(refused.value).partition("(process ")[2].partition(")")[0]
    if named:
        os.kill(int(named), signal.SIGKILL)
    else:
        os.killpg(running.pid, signal.SIGKILL)
    with pytest.raises(LockHeld, match="pulumi cancel"):
        up("elsewhere", quiet(project)[0], yes=True)
    run.open_stack("elsewhere", quiet(project)[0]).cancel()
    assert up("elsewhere", quiet(project)[0], yes=True).ok
