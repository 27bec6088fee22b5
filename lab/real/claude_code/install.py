"""The published Claude Code, as a client of the tests; `make up` neither needs it nor waits for it.

Owns: its program in `.work/claude`, pinned by `lab/real/claude_code/package-lock.json`. Only the package for Linux on
x86-64 is installed: the one around it, `@anthropic-ai/claude-code`, chooses it by a script, and none is run here.
Deliberately does not: give it a home, an account or a configuration.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
from pathlib import Path

from console.errors import UserError
from console.paths import WORK
from console.progress import Progress
from lab.box.lock import held

SOURCE = Path(__file__).parent
_FILES = ("package.json", "package-lock.json")
_PROGRAM = Path("node_modules", "@anthropic-ai", "claude-code-linux-x64", "claude")


def executable(progress: Progress, work: Path = WORK) -> Path:
    """The program `claude`, installed at the first call. Raises UserError where there is none for this machine."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise UserError("The lab's Claude Code is the one for Linux on x86-64; run these tests on such a machine.")
    locked = hashlib.sha256(b"".join((SOURCE / name).read_bytes() for name in _FILES)).hexdigest()[:16]
    folder = work / "claude" / locked
    with held(folder.with_name("lock"), "installing Claude Code", progress.line):
        if not (folder / _PROGRAM).exists():
            _install(folder, progress)
    return folder / _PROGRAM


def _install(folder: Path, progress: Progress) -> None:
    """Beside, then renamed: a killed run leaves nothing that would be taken for whole."""
    beside = folder.with_name(f"new-{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        for name in _FILES:
            shutil.copy(SOURCE / name, beside)
        with progress.step("Installing Claude Code") as step:
            step.say("npm ci")
            step.call(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder=beside)
        for former in folder.parent.iterdir():
            if former.is_dir() and former != beside:
                shutil.rmtree(former)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
