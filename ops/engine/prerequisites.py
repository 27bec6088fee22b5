"""The prerequisites of a run of the engine on a stack: toolchain, plugins, sandbox."""

from __future__ import annotations

import fcntl
from collections.abc import Generator
from contextlib import contextmanager

from console.errors import UserError
from console.paths import PULUMI_HOME, ROOT, WORK
from console.progress import Progress
from ops.engine import environment, sandbox
from settings import shared
from toolchain import provide


def toolchain_and_images(stack: str, progress: Progress) -> None:
    """All long steps that depend on nothing else, side by side."""
    stack_sandbox = sandbox.of_stack(stack)
    steps = provide.long_steps()
    if stack_sandbox:
        steps += stack_sandbox.long_steps()
    progress.side_by_side(steps)


def toolchain_only(progress: Progress) -> None:
    """The engine alone, for commands that need no sandbox."""
    progress.side_by_side(provide.long_steps())


def make_ready(stack: str, progress: Progress) -> None:
    """Everything before the engine; does nothing, in well under a second, when it is complete."""
    stack_sandbox = sandbox.of_stack(stack)
    if stack_sandbox is None:
        require_configuration(stack)
    with alone(stack, progress):
        toolchain_and_images(stack, progress)
        if stack_sandbox:
            provide.plugins(PULUMI_HOME, progress, retry=False)
            stack_sandbox.prepare(progress)
        else:
            _real_plugins(stack, progress)


@contextmanager
def alone(stack: str, progress: Progress) -> Generator[None]:
    """Exclusive use of a stack's sandbox for one command; the engine's own runs have the engine's lock.

    The lock is the kernel's, so a killed command leaves none behind.
    """
    WORK.mkdir(parents=True, exist_ok=True)
    with (WORK / f"ready-{stack}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.line(f"Another command is at work on the sandbox of stack {stack}; waiting for it …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def require_configuration(stack: str) -> None:
    """Raise UserError for a mistyped stack, before anything long or lasting is done for it."""
    if not (ROOT / f"Pulumi.{stack}.yaml").exists():
        known = sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml") if path.name != shared.FILE)
        raise UserError(
            f"There is no Pulumi.{stack}.yaml: pass STACK= with one of {', '.join(known)}, or make the file from "
            "Pulumi.prod.yaml."
        )


def _real_plugins(stack: str, progress: Progress) -> None:
    """Real plugins, for a stack whose host exists; none where the operator has a PULUMI_HOME of their own."""
    home = environment.variables(stack)["PULUMI_HOME"]
    if home != str(PULUMI_HOME):
        return
    missing = provide.plugins(PULUMI_HOME, progress, retry=True)
    if missing:
        plugin = missing[0]
        raise UserError(
            f"The Pulumi plugin {plugin.name} {plugin.version} is not installed and cannot be downloaded here: "
            f"run `pulumi plugin install resource {plugin.name} {plugin.version}` where the internet can be reached "
            f"and copy ~/.pulumi/plugins/{plugin.folder} to the same place on this machine."
        )
