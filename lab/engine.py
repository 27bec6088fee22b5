"""The engine as the lab sees it: the machine's own, run inside the VPS's network.

Owns: the shims in `.lab/bin`, the lab's plugin home, its passphrase file.
Deliberately does not: find, build or overwrite an engine or a plugin elsewhere (toolchain/, lab/doubles/plugins).
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from console.errors import UserError
from console.paths import PULUMI_HOME
from lab.box import Box, Place
from lab.box.network import namespace
from toolchain.find import programs
from toolchain.parts import ENGINE, ENGINE_VERSION, program_folders

_SHIM = """#!/bin/sh
# The lab's engine: {engine} inside the network of {name}.
test -e {namespace} || {{ echo "The lab is not running; start it with make up." >&2; exit 1; }}
exec nsenter --net={namespace} -- {engine} "$@"
"""


def environment(place: Place) -> Mapping[str, str]:
    """The variables with which the engine works on the lab's stack; nothing of it needs to exist yet."""
    return {
        "PATH": str(place.bin),
        "PULUMI_HOME": str(home(place)),
        "PULUMI_BACKEND_URL": f"file://{place.folder}/state",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase_file(place)),
    }


def home(place: Place) -> Path:
    return place.folder / "pulumi-home"


def passphrase_file(place: Place) -> Path:
    return place.folder / "passphrase"


def prepare(place: Place, box: Box) -> None:
    """Shims, passphrase, state folder and every real plugin of this machine. Raises UserError without an engine."""
    engine = find(place)
    if engine is None:
        raise UserError(f"No engine pulumi that fits version {ENGINE_VERSION} is in PATH or built yet; run make up.")
    place.bin.mkdir(parents=True, exist_ok=True)
    _write_program(place.bin / "pulumi", _shim(engine, box.vps))
    _write_program(place.bin / "pulumi-from-wan", _shim(engine, box.wan))
    (place.folder / "state").mkdir(exist_ok=True)
    _make_passphrase(passphrase_file(place))
    _take_over_real_plugins(place)


def find(place: Place) -> Path | None:
    """The machine's own engine of the right version, never a shim, which would start another shim without end."""
    folders = [folder for folder in program_folders() if folder.resolve() != place.bin.resolve()]
    found = programs(folders).get(ENGINE.executable)
    return found.path.absolute() if found else None


def plugin_homes(place: Place) -> list[Path]:
    """The folders in which this machine may have real plugins."""
    own = os.environ.get("PULUMI_HOME")
    homes = [*([Path(own)] if own else []), Path.home() / ".pulumi", PULUMI_HOME]
    return [one for one in dict.fromkeys(homes) if one.resolve() != home(place).resolve()]


def _take_over_real_plugins(place: Place) -> None:
    """Linked file by file, since the engine follows no link to a folder; a double is known by its `double.json`."""
    plugins = home(place) / "plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    for other in plugin_homes(place):
        for folder in sorted((other / "plugins").glob("resource-*-v*")):
            target = plugins / folder.name
            if (
                not folder.is_dir()
                or (folder / "double.json").exists()
                or (folder.parent / f"{folder.name}.partial").exists()
            ):
                continue
            if target.exists() and (target / "double.json").exists():
                shutil.rmtree(target)
            if not target.exists():
                candidate = target.with_name(f".new-{target.name}")
                shutil.rmtree(candidate, ignore_errors=True)
                shutil.copytree(folder, candidate, copy_function=_link_or_copy)
                candidate.rename(target)


def _link_or_copy(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def _shim(engine: Path, name: str) -> str:
    quoted = shlex.quote(str(engine))
    return _SHIM.format(engine=quoted, name=name, namespace=shlex.quote(str(namespace(name))))


def _write_program(path: Path, text: str) -> None:
    if path.exists() and path.read_text() == text:
        return
    candidate = path.with_name(path.name + ".new")
    candidate.write_text(text)
    candidate.chmod(0o755)
    os.replace(candidate, path)


def _make_passphrase(path: Path) -> None:
    """Once: the stack's secrets can be read with no other."""
    if path.exists():
        return
    candidate = path.with_name(path.name + ".new")
    candidate.unlink(missing_ok=True)
    handle = os.open(candidate, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(32))
    os.replace(candidate, path)


def plugin_kind(place: Place, name: str) -> tuple[str, str, str]:
    """The lab's plugin: its folder, its version, and `real`, `double` or `missing`."""
    for folder in sorted((home(place) / "plugins").glob(f"resource-{name}-v*")):
        mark = folder / "double.json"
        version = folder.name.rpartition("-v")[2]
        if mark.exists():
            return str(folder), str(json.loads(mark.read_text())["version"]), "double"
        return str(folder), version, "real"
    return "", "", "missing"
