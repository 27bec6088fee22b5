"""`make doctor`: every part of the machine that a run needs, its place, its version, real or double.

Owns: the rows that every stack has; the others come from the stack's sandbox.
Deliberately does not: install, start or fix anything.
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from console.paths import VENV
from console.progress import Progress
from console.result import Result
from ops.engine import environment, sandbox
from toolchain import build, find
from toolchain.parts import PLUGINS, PROGRAMS

Row = Mapping[str, str]


def doctor(stack: str, progress: Progress) -> Result:
    """`ok` when nothing that the stack needs is missing; uv and Go are needed only where something must be made."""
    stack_sandbox = sandbox.of_stack(stack)
    sandbox_rows = list(stack_sandbox.doctor()) if stack_sandbox else []
    rows = [row for row in _own_rows(stack) if not _is_replaced(row, sandbox_rows)] + sandbox_rows
    needed = [row for row in rows if row["part"] not in {"go", "uv"}]
    return Result(rows, _table(rows), ok=all(row["kind"] != "missing" for row in needed))


def _own_rows(stack: str) -> list[Row]:
    programs = find.programs()
    homes = [Path(environment.variables(stack, make=False)["PULUMI_HOME"])]
    plugins = find.plugins(homes)
    rows: list[Row] = []
    for program in PROGRAMS:
        installed = programs.get(program.executable)
        rows.append(
            _row(program.part, str(installed.path) if installed else "", installed.version if installed else "")
        )
    for plugin in PLUGINS:
        installed = plugins.get(plugin.name)
        rows.append(_row(plugin.part, str(installed.path) if installed else "", installed.version if installed else ""))
    rows.append(_row("python", sys.executable, platform.python_version()))
    rows.append(_program("docker", shutil.which("docker")))
    rows.append(_program("uv", shutil.which("uv") or shutil.which("uv", path=str(VENV / "bin"))))
    go = build.find_go()
    return [*rows, _program("go", str(go) if go else None, "version")]


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


def _table(rows: Sequence[Row]) -> str:
    columns = ("part", "kind", "version", "found")
    lines = [columns, *(tuple(row[column] for column in columns) for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line[:3], widths, strict=True)), line[3]]).rstrip()
        for line in lines
    )
