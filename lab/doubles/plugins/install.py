"""Lays the doubles out in a plugin home, where the engine finds them.

Owns: the folders `<home>/plugins/resource-NAME-vVERSION/`, each with the executable and `double.json`.
Deliberately does not: overwrite a plugin that is not a double of ours (it has no `double.json`).
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

VERSIONS = {"docker": "5.2.0", "command": "1.2.1"}
"""The versions that the Python packages `pulumi-docker` and `pulumi-command` require of the engine."""

_MARK = "double.json"


class PluginState(Enum):
    """The kind of plugin in a folder."""

    ABSENT = "absent"
    REAL = "real"
    DOUBLE = "double"


@dataclass(frozen=True)
class LabFacts:
    """The only hosts that the doubles touch.

    `docker_hosts` are Docker addresses (`unix:///run/lab/docker.sock`), `ssh_hosts` bare addresses (`203.0.113.10`)
    for `remote.*` and for `ssh://` Docker hosts.
    """

    docker_hosts: tuple[str, ...]
    ssh_hosts: tuple[str, ...] = ()


def plugin_folder(home: Path, name: str) -> Path:
    return home / "plugins" / f"resource-{name}-v{VERSIONS[name]}"


def plugin_state(home: Path, name: str) -> PluginState:
    folder = plugin_folder(home, name)
    if (folder / _MARK).is_file():
        return PluginState.DOUBLE
    return PluginState.REAL if (folder / f"pulumi-resource-{name}").exists() else PluginState.ABSENT


def install(home: Path, facts: LabFacts) -> dict[str, PluginState]:
    """Puts a double wherever no real plugin stands, and says for each plugin what stands there afterwards."""
    states: dict[str, PluginState] = {}
    for name in VERSIONS:
        if plugin_state(home, name) is not PluginState.REAL:
            _lay_out(plugin_folder(home, name), name, facts)
        states[name] = plugin_state(home, name)
    return states


def _lay_out(folder: Path, name: str, facts: LabFacts) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    mark = {
        "double": name,
        "version": VERSIONS[name],
        "docker_hosts": list(facts.docker_hosts),
        "ssh_hosts": list(facts.ssh_hosts),
    }
    _write(folder / _MARK, json.dumps(mark, indent=2) + "\n", 0o644)
    # The start line carries the interpreter and the repository, since the engine starts plugins with any environment.
    start = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).resolve().parents[3])!r}); "
        f"from lab.doubles.plugins.{name}_plugin.provider import main; main()"
    )
    script = (
        f"#!/bin/sh\nDOUBLE_FACTS={shlex.quote(str(folder / _MARK))} "
        f'exec {shlex.quote(sys.executable)} -I -c {shlex.quote(start)} "$@"\n'
    )
    _write(folder / f"pulumi-resource-{name}", script, 0o755)


def _write(path: Path, text: str, mode: int) -> None:
    if path.is_file() and path.read_text() == text:
        return
    candidate = path.with_name(path.name + ".new")
    candidate.write_text(text)
    candidate.chmod(mode)
    os.replace(candidate, path)
