"""The figures that a story of tests/lab measures and judges itself, taken by running it as the soak does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from console.errors import UserError
from console.paths import ROOT


def figures_of(story: str, variable: str) -> Any:
    """The document that the story writes into the file that the variable names. Raises UserError when a test fails."""
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures.json"
        variables = {**os.environ, "SOAK": "1", variable: str(figures)}
        argv = [sys.executable, "-m", "pytest", "-q", story]
        if subprocess.run(argv, cwd=ROOT, env=variables, check=False, stdout=sys.stderr).returncode:
            raise UserError(f"A test of {story} failed, so no figure is taken: fix that, then run again.")
        return json.loads(figures.read_text(encoding="utf-8"))
