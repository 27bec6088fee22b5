"""Installed parts of the toolchain and their versions; an installed part goes before one of ours."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolchain.parts import (
    BIN,
    ENGINE,
    ENGINE_VERSION,
    PLUGINS,
    PROGRAMS,
    Plugin,
    Program,
    program_folders,
    pulumi_homes,
)

VERSIONS = BIN.parent / "versions.json"


@dataclass(frozen=True)
class Found:
    """A part and where it lies; `ours` when we fetched or built it."""

    part: str
    path: Path
    version: str
    ours: bool


def programs(folders: Sequence[Path] | None = None, own: Path = BIN) -> dict[str, Found]:
    """The engine and what lies beside it, by executable name; missing ones are left out.

    The first folder with an engine of the right version wins. The language host and its script print no version, so
    they count only beside an engine of the right one: its archive holds all three.
    """
    for folder in folders if folders is not None else program_folders():
        if own.parent.parent in folder.resolve().parents:
            continue
        version = engine_version(folder / ENGINE.executable)
        if is_right(version):
            installed = _beside(folder, version, ours=False)
            own_parts = _beside(own, version, ours=True)
            return {**{name: found for name, found in own_parts.items() if name != ENGINE.executable}, **installed}
    version = engine_version(own / ENGINE.executable)
    return _beside(own, version, ours=True) if is_right(version) else {}


def missing(found: dict[str, Found]) -> list[Program]:
    return [program for program in PROGRAMS if program.executable not in found]


def folders_of(found: dict[str, Found]) -> list[Path]:
    """The folders of the found programs, the engine's first; for PATH."""
    ordered = [found[program.executable].path.parent for program in PROGRAMS if program.executable in found]
    return list(dict.fromkeys(ordered))


def plugin(wanted: Plugin, homes: Sequence[Path] | None = None) -> Path | None:
    """The folder of an installed plugin of exactly this version, or None.

    A `.partial` file beside the folder is the engine's own mark of a broken installation (sdk/go/common/workspace).
    """
    for home in homes if homes is not None else pulumi_homes():
        folder = home / "plugins" / wanted.folder
        if _executable(folder / wanted.executable) and not folder.with_name(folder.name + ".partial").exists():
            return folder
    return None


def plugins(homes: Sequence[Path] | None = None) -> dict[str, Found]:
    installed: dict[str, Found] = {}
    for wanted in PLUGINS:
        folder = plugin(wanted, homes)
        if folder:
            installed[wanted.name] = Found(
                wanted.part, folder.resolve(), wanted.version, ours=folder.is_relative_to(BIN)
            )
    return installed


def engine_version(path: Path) -> str:
    """The version that `pulumi version` prints, without the v; "" when there is none or it does not run."""
    if not _executable(path):
        return ""
    stat = path.stat()
    return version_of(path, f"{stat.st_mtime_ns} {stat.st_size} {stat.st_ino}")


@functools.cache
def version_of(path: Path, stamp: str) -> str:
    """The version of the file with that stamp: a file that was missing or another may have been built since."""
    known = _known_versions()
    if known.get(str(path), ["", ""])[0] == stamp:
        return known[str(path)][1]
    version = _printed_version(path)
    if is_right(version):
        _remember(
            {**{name: entry for name, entry in known.items() if Path(name).exists()}, str(path): [stamp, version]}
        )
    return version


def _known_versions() -> dict[str, list[str]]:
    """Versions of engines that ran before and have not changed since; running one takes up to half a second."""
    try:
        return json.loads(VERSIONS.read_text())
    except (OSError, ValueError):
        return {}


def _remember(versions: dict[str, list[str]]) -> None:
    beside = VERSIONS.with_name(f".{VERSIONS.name}.{os.getpid()}")
    try:
        VERSIONS.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(versions, indent=1))
        beside.replace(VERSIONS)
    except OSError:
        return


def _printed_version(path: Path) -> str:
    try:
        ran = subprocess.run(
            [path, "version"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "1"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ran.stdout.strip().removeprefix("v") if ran.returncode == 0 else ""


def is_right(version: str) -> bool:
    """Same major version and not older than the one that everything here was tried with."""
    numbers, oldest = _numbers(version), _numbers(ENGINE_VERSION)
    return bool(numbers) and numbers[0] == oldest[0] and numbers >= oldest


def _numbers(version: str) -> tuple[int, ...]:
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)(?:[-+].*)?", version)
    return tuple(int(number) for number in match.groups()) if match else ()


def _beside(folder: Path, version: str, *, ours: bool) -> dict[str, Found]:
    return {
        program.executable: Found(program.part, folder / program.executable, version, ours)
        for program in PROGRAMS
        if _executable(folder / program.executable)
    }


def _executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
