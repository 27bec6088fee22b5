"""A copy of this checkout in another folder, for tests that act on a clone of their own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from console.paths import ROOT


def made(folder: Path) -> None:
    """The files that git tracks or would track, with this checkout's environment."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(ROOT / ".venv")
