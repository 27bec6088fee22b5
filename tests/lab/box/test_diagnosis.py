"""The diagnosis of a failing lab test, where there is a lab and where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.box import Box, Place
from tests.lab import diagnosis


def test_without_a_lab_the_diagnosis_still_shows_the_disk(tmp_path: Path) -> None:
    said = diagnosis.of_the_lab(Place(tmp_path))
    assert "problems: there is no lab" in said
    assert "free on /tmp: " in said
    assert "MemAvailable" in said


@pytest.mark.lab
def test_of_a_running_lab_the_diagnosis_names_the_containers_and_the_daemons_last_lines(
    bare_box: Box, bare_place: Place
) -> None:
    said = diagnosis.of_the_lab(bare_place)
    assert "problems: none" in said
    assert f"free on {bare_place.run}: " in said
    containers, daemon = said.split("containers:\n")[1].split("dockerd's last lines:\n")
    assert "level=" in daemon
    assert "docker ps" not in containers


def test_of_a_failed_run_the_engines_own_diagnostics_are_shown() -> None:
    output = (
        "Updating (lab):\n@ updating....\n ~ one updated\n\nDiagnostics:\n  gate token: failed\n\nOutputs:\n  - a: 1\n"
    )
    assert diagnosis.of_a_run(output) == "Diagnostics:\n  gate token: failed"
    assert diagnosis.of_a_run("error: no stack\n") == "error: no stack"
