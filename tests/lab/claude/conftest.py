"""The lab with ContextForge on the port and Sentinel staged, the real Claude Code and a stand-in of its model's API."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.progress import Progress
from lab.real.claude_code import install
from tests.lab.claude.session import Session
from tests.lab.cutover.conftest import Lab, lab

__all__ = ["Client", "client", "lab"]

MODEL = Path(__file__).with_name("model.py")


@dataclass(frozen=True)
class Client:
    """Claude Code on the host, with files of its own: a session writes into them, and a rollback compares Claude's."""

    lab: Lab
    program: Path
    home: Path
    model_port: int

    def session(self) -> Session:
        """A session that begins now, with Claude's file as it is now."""
        shutil.copy(Path(self.lab.box.home) / ".claude.json", self.home / ".claude.json")
        return Session(self.program, self.home, self.model_port, self.lab.on_host)


@pytest.fixture
def client(lab: Lab, progress: Progress, tmp_path: Path) -> Generator[Client]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    model = subprocess.Popen(lab.on_host([sys.executable, str(MODEL), str(port)]), stdout=subprocess.PIPE, text=True)
    try:
        assert model.stdout is not None and model.stdout.readline() == "listens\n"
        yield Client(lab, install.executable(progress), tmp_path, port)
    finally:
        model.kill()
        model.wait()
