"""The README's outputs: stdout of `make up`, `make verify` and `make status`, recorded on the lab.

Owns: running the three in order, and scrubbing this machine's paths. After `make down` the first is a whole cutover.
Deliberately does not: keep an output of a command that failed.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from console.errors import UserError
from console.paths import ROOT

KEY = "outputs"
TAKEN_BY = "python -m lab.benchmarks outputs"
COMMANDS = ("up", "verify", "status")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

Outputs = Mapping[str, str]
Table = Callable[[Sequence[str], Sequence[Sequence[object]]], str]


def take() -> dict[str, str]:
    """{command: its stdout}; progress goes to stderr. Raises UserError at the first failure."""
    return {command: _output(command) for command in COMMANDS}


def scrubbed(text: str, root: Path = ROOT, home: Path | None = None) -> str:
    """The text without colors and without a path or an id of this machine."""
    plain = _ESCAPES.sub("", text).replace(str(root), ".").replace(str(home or Path.home()), "~")
    named = re.sub(r"\b(sentinel-(?:lab|vps|wan))-[0-9a-f]{6}\b", r"\1", plain)
    return "".join(f"{line.rstrip()}\n" for line in named.strip("\n").splitlines())


def block(command: str, outputs: Outputs, _: Table) -> str:
    """The command and its output, as a terminal shows them."""
    return f"```console\n$ make {command}\n{outputs[command]}```\n"


def _output(command: str) -> str:
    done = subprocess.run(
        ["make", "--silent", command], cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise UserError(f"make {command} ended with {done.returncode}, so no output is kept: fix that, then run again.")
    return scrubbed(done.stdout)


TABLES: Mapping[str, Callable[[Any, Table], str]] = {
    f"output_{command}": partial(block, command) for command in COMMANDS
}
