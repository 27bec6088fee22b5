"""A host of the test's own: systemd's and cron's folders, and a systemctl that notes its calls."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from hostctl.schedule import systemd
from hostctl.schedule.job import Scheduler


@dataclass(frozen=True)
class Host:
    """Where systemd runs, until `running` is removed."""

    folder: Path

    @property
    def running(self) -> Path:
        return self.folder / "running"

    @property
    def units(self) -> Path:
        return self.folder / "units"

    @property
    def cron(self) -> Path:
        return self.folder / "cron.d"

    def scheduler(self, kind: str) -> Scheduler:
        return Scheduler(kind, str(self.units), str(self.cron))

    def calls(self) -> list[str]:
        """Changes by systemctl, in their order."""
        lines = (self.folder / "systemctl.log").read_text().splitlines()
        return [line for line in lines if not line.startswith("is-")]

    def files(self) -> list[str]:
        return sorted(path.name for folder in (self.units, self.cron) for path in folder.iterdir())


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    folder = tmp_path / "host"
    found = Host(folder)
    for path in (found.running, found.units, found.cron, folder / "bin"):
        path.mkdir(parents=True)
    (folder / "systemctl.log").touch()
    program = folder / "bin" / "systemctl"
    program.write_text(f'#!/bin/sh\necho "$@" >> {folder}/systemctl.log\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(systemd, "RUNS", str(found.running))
    return found
