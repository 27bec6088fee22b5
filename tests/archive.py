"""The archive of hostctl under test, built once a session, and a run of one of its verbs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hostctl.build import build

__all__ = ["archive", "run"]


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "hostctl.pyz"
    build(str(path))
    return path


@pytest.fixture
def run(archive: Path) -> Any:
    """Run the archive as the host does: `run(verb, action, document)` gives the finished process."""

    def _run(*arguments: str, document: object = None, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", "-S", str(archive), *arguments],
            input=document if isinstance(document, str) else json.dumps(document),
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
            timeout=120,
        )

    return _run
