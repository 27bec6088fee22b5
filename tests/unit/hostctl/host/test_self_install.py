"""The archive is installed where it was lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def test_the_program_is_installed_where_it_was_lost_and_replaces_no_other(run: Any, tmp_path: Path) -> None:
    place = tmp_path / "product" / "hostctl.pyz"
    assert json.loads(run("self", "install", document={"path": str(place)}).stdout)["written"] is True
    assert place.stat().st_mode & 0o777 == 0o755
    assert subprocess.run([sys.executable, "-I", "-S", str(place), "--version"], check=False).returncode == 0
    place.write_text("an older one")
    assert json.loads(run("self", "install", document={"path": str(place)}).stdout)["written"] is False
    assert place.read_text() == "an older one"
