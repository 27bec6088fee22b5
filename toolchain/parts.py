"""The parts that a run of the engine needs, their versions, and the folders in which each may already lie.

Versions: https://www.pulumi.com/docs/iac/download-install/versions/
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ENGINE_VERSION = "3.259.0"
ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".work" / "toolchain" / "bin"


@dataclass(frozen=True)
class Program:
    """An executable that lies beside the engine."""

    part: str
    executable: str


@dataclass(frozen=True)
class Plugin:
    """A resource plugin, which lies in `plugins/` of a PULUMI_HOME under a folder that names its version."""

    name: str
    version: str

    @property
    def part(self) -> str:
        return f"plugin {self.name}"

    @property
    def executable(self) -> str:
        return f"pulumi-resource-{self.name}"

    @property
    def folder(self) -> str:
        """The engine's own layout: `resource-docker-v5.2.0`."""
        return f"resource-{self.name}-v{self.version}"


ENGINE = Program("engine", "pulumi")
LANGUAGE_HOST = Program("language host", "pulumi-language-python")
EXEC_SCRIPT = Program("language host exec script", "pulumi-language-python-exec")
PROGRAMS = (ENGINE, LANGUAGE_HOST, EXEC_SCRIPT)
PLUGINS = (Plugin("docker", "5.2.0"), Plugin("command", "1.2.1"))


def program_folders(environment: Mapping[str, str] = os.environ, root: Path = ROOT) -> list[Path]:
    """Folders in which an engine may be installed already, best first.

    Folders inside the repository are left out: they hold our own shims (such as those of a stack's sandbox, which
    `make env` puts into PATH), and a shim that finds its own folder would call itself forever.
    """
    path = [Path(folder) for folder in environment.get("PATH", "").split(os.pathsep) if folder]
    folders = path + [home / "bin" for home in pulumi_homes(environment, root)]
    return list(dict.fromkeys(folder for folder in folders if not folder.resolve().is_relative_to(root)))


def pulumi_homes(environment: Mapping[str, str] = os.environ, root: Path = ROOT) -> list[Path]:
    """The operator's own PULUMI_HOME folders, best first; those inside the repository are ours."""
    homes = [Path(environment["PULUMI_HOME"])] if environment.get("PULUMI_HOME") else []
    if environment.get("HOME"):
        homes.append(Path(environment["HOME"]) / ".pulumi")
    return list(dict.fromkeys(home for home in homes if not home.resolve().is_relative_to(root)))
