"""Claude Code for the tests: the pinned program, and nothing of a killed installation."""

from __future__ import annotations

import json
import platform
import subprocess
from pathlib import Path

import pytest

from console.errors import UserError
from console.progress import Progress
from lab.real.claude_code import install


@pytest.mark.lab
@pytest.mark.timeout(600)
def test_the_program_is_the_pinned_version_and_is_installed_once(progress: Progress, tmp_path: Path) -> None:
    (pinned,) = json.loads((install.SOURCE / "package.json").read_text())["dependencies"].values()
    program = install.executable(progress)
    said = subprocess.run(
        [program, "--version"], env={"HOME": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert said.stdout.startswith(f"{pinned} ")
    installed = program.stat().st_ino
    assert install.executable(progress).stat().st_ino == installed


def test_a_machine_without_a_program_of_its_own_is_one_sentence(
    progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(UserError, match="Linux on x86-64"):
        install.executable(progress)
