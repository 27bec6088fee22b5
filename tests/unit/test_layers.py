"""The layers of the repository: no import runs up."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest

from console.paths import ROOT

FLOORS = (
    {"settings", "console", "hostctl"},
    {"verify", "bridge", "dashboards", "toolchain"},
    {"components"},
    {"ops"},
    {"lab"},
    {"tests"},
)
"""Lowest first. A folder imports itself and the floors below, never a neighbour on its own floor."""
FLOOR_OF = {folder: number for number, floor in enumerate(FLOORS) for folder in floor}
BELOW = {folder: {other for floor in FLOORS[:number] for other in floor} for folder, number in FLOOR_OF.items()}
ALLOWED = {**BELOW, "bridge": set[str]()}
"""The bridge runs alone in its image, so it imports nothing else of the repository."""
PROGRAM = ("components", "settings", "hostctl.build")
SOURCES = [
    name
    for name in subprocess.run(
        ["git", "ls-files", "-z", "*.py"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout.split("\0")
    if name and (ROOT / name).is_file()
]


def imports(name: str) -> Iterator[str]:
    """Every imported module, wherever in the file and under whichever condition its import stands."""
    for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = PurePosixPath(name).parts[: -node.level] if node.level else ()
            yield ".".join([*package, *filter(None, [node.module])])


def folder(module: str) -> str:
    return module.partition(".")[0]


def of(top: str) -> list[str]:
    """The Python files below a folder."""
    return [name for name in SOURCES if PurePosixPath(name).parts[0] == top]


@pytest.mark.parametrize("top", sorted(FLOOR_OF))
def test_a_folder_imports_lower_floors_only(top: str) -> None:
    assert of(top)
    ours = [(name, module) for name in of(top) for module in imports(name) if folder(module) in FLOOR_OF]
    assert [(name, module) for name, module in ours if folder(module) not in {top, *ALLOWED[top]}] == []


def test_every_folder_with_python_has_a_floor() -> None:
    assert {PurePosixPath(name).parts[0] for name in SOURCES} == {*FLOOR_OF, "__main__.py"}


def test_the_program_imports_components_settings_and_the_archives_builder() -> None:
    ours = {module for module in imports("__main__.py") if folder(module) in FLOOR_OF}
    assert ours
    assert {module for module in ours if module not in PROGRAM and folder(module) not in PROGRAM} == set()


def test_the_hosts_program_imports_the_standard_library_only() -> None:
    known = {"hostctl", *sys.stdlib_module_names}
    assert [(name, module) for name in of("hostctl") for module in imports(name) if folder(module) not in known] == []


def test_nothing_but_the_lab_and_the_tests_imports_the_lab() -> None:
    others = [name for name in SOURCES if PurePosixPath(name).parts[0] not in ("lab", "tests")]
    assert [(name, module) for name in others for module in imports(name) if folder(module) in ("lab", "tests")] == []
