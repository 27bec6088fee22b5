"""`python -m tests.engine.fleet_driver FOLDER COMMAND …`: an operator's command on the stacks of a test's folder.

The command and the processes that it starts for each stack run the real engine on a small program of their own, which
notes its beginning and its end in the file `events`, waits at `gate-STACK` where that is a fifo, and fails where
`broken-STACK` exists.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

PROGRAM = """
import os
from pathlib import Path
import pulumi

stack = pulumi.get_stack()


def note(word):
    with open("events", "a") as events:
        events.write(f"{word} {stack}\\n")


note("begin")
if Path(f"gate-{stack}").exists():
    with open(f"gate-{stack}") as gate:
        gate.read()
if Path(f"broken-{stack}").exists():
    note("end")
    raise pulumi.RunError(f"{stack} is broken: repair it.")
pulumi.export("active", pulumi.Config().require("active"))
pulumi.export("handover", {"downtime_ms": 41, "from": "contextforge", "to": "sentinel", "at": "2026-01-01T00:00:00Z"})
note("end")
"""


def make_fleet(folder: Path, *stacks: str) -> None:
    """A project in the folder with these stacks."""
    (folder / "Pulumi.yaml").write_text("name: sentinel-cutover\nruntime: python\n")
    (folder / "__main__.py").write_text(PROGRAM)
    for stack in stacks:
        (folder / f"Pulumi.{stack}.yaml").write_text("config:\n  sentinel-cutover:active: sentinel\n")


def driven(folder: Path, *words: str) -> list[str]:
    """The command line of this module."""
    return [sys.executable, "-m", "tests.engine.fleet_driver", str(folder), *words]


def _of_folder(folder: Path) -> None:
    """Everything of the operator's commands that is not of the folder is replaced."""
    from ops.engine import environment, prerequisites, run, verification
    from ops.fleet import host_run
    from tests.engine.test_run import after_run, without_a_host

    for name in environment.NAMES[1:]:
        if name != "PULUMI_BACKEND_URL":
            os.environ.pop(name, None)
    run.ROOT = environment.ROOT = prerequisites.ROOT = folder
    environment.STATE = folder / ".state"
    environment.PULUMI_HOME = folder / "pulumi-home"
    host_run.LOGS = folder / "log"
    host_run.command_line = lambda command, stack: driven(folder, command, "--stack", stack, "--json", "--yes")
    prerequisites.make_ready = lambda stack, progress: None
    verification.after_run = after_run
    without_a_host(setattr)


if __name__ == "__main__":
    from ops.__main__ import main

    _of_folder(Path(sys.argv.pop(1)))
    sys.exit(main())
