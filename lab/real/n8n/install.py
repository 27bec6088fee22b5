"""n8n from npm, in `.work/n8n`, pinned by `lab/real/n8n/package-lock.json`.

2.8.4 is the newest that runs on Node 20, Debian's own. No script of any package is run, and nothing is compiled: with
Postgres as its database n8n loads no native code. Two packages are left out: the AI nodes, half of the download, and
`xlsx`, which is in no registry. npm links `left-out` in their places, which has what n8n loads at its start.

Owns: the folder, and the addresses of the packages, filled in from the registry that npm is configured with: the
committed lock names no host, and without addresses npm fetches each package's list of versions first, which takes as
long again. Deliberately does not: run it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from console.errors import UserError
from console.paths import WORK
from console.progress import Progress
from lab.box.lock import held

SOURCE = Path(__file__).parent
_MANIFEST, _LOCK = "package.json", "package-lock.json"
_LEFT_OUT = "left-out"
_RECIPE = (_MANIFEST, _LOCK, f"{_LEFT_OUT}/package.json", f"{_LEFT_OUT}/mcp/core.js")
_PROGRAM = Path("node_modules", "n8n", "bin", "n8n")


def modules(progress: Progress, work: Path = WORK) -> Path:
    """The folder whose `node_modules/n8n/bin/n8n` is n8n, installed at the first call. Raises UserError."""
    recipe = b"".join((SOURCE / name).read_bytes() for name in _RECIPE)
    folder = work / "n8n" / hashlib.sha256(recipe).hexdigest()[:16]
    with held(folder.with_name("lock"), "installing n8n", progress.line):
        if not (folder / _PROGRAM).exists():
            _install(folder, progress)
    return folder


def _install(folder: Path, progress: Progress) -> None:
    """Beside, then renamed: a killed run leaves nothing that would be taken for whole."""
    beside = folder.with_name(f"new-{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        shutil.copy(SOURCE / _MANIFEST, beside)
        shutil.copytree(SOURCE / _LEFT_OUT, beside / _LEFT_OUT)
        lock = with_addresses(json.loads((SOURCE / _LOCK).read_text(encoding="utf-8")), _registry())
        (beside / _LOCK).write_text(json.dumps(lock), encoding="utf-8")
        with progress.step("Installing n8n") as step:
            step.say("npm ci")
            argv = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=optional", "--omit=dev"]
            step.call(argv, folder=beside)
        for former in folder.parent.iterdir():
            if former.is_dir() and former != beside:
                shutil.rmtree(former)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def with_addresses(lock: dict[str, Any], registry: str) -> dict[str, Any]:
    """The lock with each package's address in a registry: of `@scope/name`, `@scope/name/-/name-1.0.0.tgz`."""
    packages: dict[str, dict[str, Any]] = lock["packages"]
    filled = {
        place: {**one, "resolved": _address(place, one, registry)} if "integrity" in one else one
        for place, one in packages.items()
    }
    return {**lock, "packages": filled}


def _address(place: str, package: dict[str, Any], registry: str) -> str:
    name: str = package.get("name") or place.rpartition("node_modules/")[2]
    return f"{registry}/{name}/-/{name.rpartition('/')[2]}-{package['version']}.tgz"


def _registry() -> str:
    try:
        done = subprocess.run(["npm", "config", "get", "registry"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UserError("npm is not on this machine: install it, then run again.") from None
    return done.stdout.strip().rstrip("/")
