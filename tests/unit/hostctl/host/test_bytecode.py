"""The archive with bytecode: the same program, which any other Python still runs from its sources."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib import util
from pathlib import Path

import pytest

from hostctl import build
from hostctl.host.bytecode import with_bytecode


@pytest.fixture(scope="module")
def compiled() -> bytes:
    return with_bytecode(build.archive())


def members(archive: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    """The archive with each member changed, or left out."""
    into = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(into, "w") as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return into.getvalue()


def run(archive: bytes, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "hostctl.pyz"
    file.write_bytes(archive)
    return subprocess.run([sys.executable, "-I", "-S", str(file)], capture_output=True, text=True, check=False)


def test_it_runs_from_its_bytecode_alone(compiled: bytes, tmp_path: Path) -> None:
    bare = members(compiled, lambda name, content: None if name.endswith(".py") else content)
    assert "hostctl: no such verb: give one of files write, " in run(bare, tmp_path).stderr


def test_bytecode_of_another_python_is_passed_over(compiled: bytes, tmp_path: Path) -> None:
    other = (int.from_bytes(util.MAGIC_NUMBER[:2], "little") - 1).to_bytes(2, "little") + b"\r\n"
    foreign = members(compiled, lambda name, content: other + content[4:] if name.endswith(".pyc") else content)
    assert run(foreign, tmp_path).stderr == run(build.archive(), tmp_path).stderr != ""


def test_the_sources_stay_and_nothing_is_added_twice(compiled: bytes) -> None:
    assert with_bytecode(compiled) == compiled
    assert compiled.startswith(b"#!/usr/bin/env python3\n")
    with zipfile.ZipFile(io.BytesIO(build.archive())) as old, zipfile.ZipFile(io.BytesIO(compiled)) as new:
        assert {name: new.read(name) for name in old.namelist()} == {name: old.read(name) for name in old.namelist()}
        assert {*new.namelist()} == {*old.namelist(), *(f"{name}c" for name in old.namelist())}
