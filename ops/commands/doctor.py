"""`make doctor`: every part of the machine that a run needs, its place, its version, real or double; and the
inspection of the stack's host.

The rows of a stack's sandbox come from the sandbox. Nothing is installed, started or fixed.
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from console.errors import UserError
from console.paths import VENV
from console.progress import Progress
from console.result import Result
from console.table import columns
from ops.engine import environment, host_inspection, sandbox, state, state_copy
from ops.engine.run import open_stack
from toolchain import build, find
from toolchain.parts import PLUGINS, PROGRAMS

Row = Mapping[str, str]


def doctor(stack: str, progress: Progress) -> Result:
    """`ok` when nothing that the stack needs is missing and its host has no problem; uv and Go are needed only where
    something must be made."""
    stack_sandbox = sandbox.of_stack(stack)
    sandbox_rows = list(stack_sandbox.doctor()) if stack_sandbox else []
    rows = [row for row in _own_rows(stack) if not _is_replaced(row, sandbox_rows)] + sandbox_rows
    needed = [row for row in rows if row["part"] not in {"go", "uv"}]
    host = _host_rows(stack, progress)
    ok = all(row["kind"] != "missing" for row in needed) and all(row["verdict"] != "problem" for row in host)
    kept = [] if stack_sandbox else state_copy.to_keep(stack)
    return Result([*rows, *host], "\n".join([_table(rows), "", _host_table(host), *kept]), ok)


def _own_rows(stack: str) -> list[Row]:
    programs = find.programs()
    homes = [Path(environment.variables(stack, make=False)["PULUMI_HOME"])]
    plugins = find.plugins(homes)
    parts = [(program.part, programs.get(program.executable)) for program in PROGRAMS]
    parts += [(plugin.part, plugins.get(plugin.name)) for plugin in PLUGINS]
    rows = [_row(part, str(found.path) if found else "", found.version if found else "") for part, found in parts]
    rows.append(_row("python", sys.executable, platform.python_version()))
    rows.append(_program("docker", shutil.which("docker")))
    rows.append(_program("uv", shutil.which("uv") or shutil.which("uv", path=str(VENV / "bin"))))
    go = build.find_go()
    return [*rows, _program("go", str(go) if go else None, "version")]


def _host_rows(stack: str, progress: Progress) -> Sequence[Row]:
    """The findings on the stack's host; one row with the reason where it cannot be inspected yet."""
    try:
        opened = open_stack(stack, progress, create=False)
        return host_inspection.findings(stack, state.settings_of(opened, stack))
    except UserError as error:
        return [{"part": "host", "verdict": "not checked", "found": str(error), "fix": ""}]


def _is_replaced(row: Row, sandbox_rows: Sequence[Row]) -> bool:
    """A row of the sandbox says more about the same part: `plugin docker (lab)` about `plugin docker`."""
    return any(
        sandbox_row["part"] == row["part"] or sandbox_row["part"].startswith(row["part"] + " (")
        for sandbox_row in sandbox_rows
    )


def _program(part: str, path: str | None, argument: str = "--version") -> Row:
    if not path:
        return _row(part, "", "")
    ran = subprocess.run([path, argument], capture_output=True, text=True, check=False)
    version = re.search(r"\d+\.\d+(\.\d+)?", ran.stdout)
    return _row(part, path, version[0] if version else "")


def _row(part: str, found: str, version: str) -> Row:
    return {"part": part, "found": found, "version": version, "kind": "real" if found else "missing"}


def _host_table(rows: Sequence[Row]) -> str:
    cells = [(row["part"], row["verdict"], host_inspection.sentence(row)) for row in rows]
    return "\n".join(columns([("host", "verdict", "found"), *cells]))


def _table(rows: Sequence[Row]) -> str:
    heads = ("part", "kind", "version", "found")
    return "\n".join(columns([heads, *([row[head] for head in heads] for row in rows)]))
