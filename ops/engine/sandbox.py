"""The seam between the operator's commands and a sandbox that a stack may bring along.

Most stacks describe a host that exists already. A stack may instead come with its own sandbox: a Python package that is
named like the stack and has a module `sandbox` with the functions of `Sandbox`. Nothing else in `ops` knows which stack
that is.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from typing import Protocol, cast

from console.progress import LongStep, Progress


class Sandbox(Protocol):
    """The functions of the module `<stack>.sandbox`.

    Every function may be called at any time, also after a killed run, and changes nothing that is already as it should
    be. An error that a person can fix is `console.errors.UserError` with one sentence; anything else is a bug.
    """

    def long_steps(self) -> Sequence[LongStep]:
        """Steps that need neither the engine nor a running sandbox (images, say); run beside the engine's build.

        Empty when there is nothing left to do. They must not depend on each other.
        """
        ...

    def prepare(self, progress: Progress) -> None:
        """Bring everything up that the stack needs: plugins, the stack's configuration file, the host itself.

        Called after the toolchain and the long steps are complete. Returns at once when all of it stands.
        """
        ...

    def environment(self) -> Mapping[str, str]:
        """Variables for the engine and for the operator's shell.

        `PULUMI_HOME`, `PULUMI_BACKEND_URL`, `PULUMI_CONFIG_PASSPHRASE_FILE` and, if needed, `PATH`: only the folders
        to put in front, joined by `:`; ops adds the others. Known before `prepare`, so no file needs to exist yet.
        """
        ...

    def on_host(self, arguments: Sequence[str]) -> Sequence[str]:
        """The command line that runs these arguments on the stack's host, where the port's loopback address is."""
        ...

    def remove(self, progress: Progress) -> None:
        """Take down everything that `prepare` brought up, and only that; the stack's state goes with it."""
        ...

    def doctor(self) -> Sequence[Mapping[str, str]]:
        """Rows for `make doctor`: `part`, `found` (a place or ""), `version`, `kind` (real, double or missing)."""
        ...


def on_host(stack: str, command: Sequence[str]) -> list[str]:
    """The command line that runs the command on the stack's host, in its sandbox where it has one."""
    sandbox = of_stack(stack)
    return list(sandbox.on_host(command) if sandbox else command)


def of_stack(stack: str) -> Sandbox | None:
    """The sandbox that the stack brings along, or None for a stack whose host simply exists."""
    if not stack.isidentifier() or f"{stack}.sandbox" == __name__:
        return None
    name = f"{stack}.sandbox"
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    return None if spec is None else cast(Sandbox, importlib.import_module(name))
