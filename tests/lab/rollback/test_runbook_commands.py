"""The runbook from top to bottom on the lab: each console block runs, and the port is where its chapter says."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from console.paths import ROOT
from tests.lab.rollback.driver import Driver
from tests.soak import only_soak

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(1800),
    only_soak("eight runs of the engine, minutes in all"),
]

TEXT = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
SERVES = {"Staging": "contextforge", "Cutover": "sentinel", "Verify": "sentinel", "Stop the predecessor": "sentinel"}
"""The gateway on the port at the end of a chapter; the others follow from what their commands say."""

REFUSED = {"Retire ContextForge": "allowed from"}
"""Chapters whose command has to refuse on a fresh cutover, and a part of the refusal."""

DRILLED = {"When something is lost or broken"}
"""Chapters whose commands need their fault first: `tests/lab/drill` causes it and runs them."""


def chapters() -> list[tuple[str, list[str]]]:
    """Heading and console blocks, in order; chapters without a command are left out."""
    found: list[tuple[str, list[str]]] = []
    for part in re.split(r"^## ", TEXT, flags=re.MULTILINE):
        title = part.splitlines()[0].lstrip("# ")
        blocks = re.findall(r"```console\n(.*?)```", part, re.DOTALL)
        if blocks:
            found.append((title, blocks))
    return found


def run(block: str, last_good: int, refused: str | None) -> None:
    """The block as a shell that stops at the first failure; the history's number is this lab's own."""
    own = re.sub(r"\bTO=\d+", f"TO={last_good}", block)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", own], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    output = f"{own}\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}"
    assert (done.returncode == 0) is (refused is None), output
    assert refused is None or refused in done.stdout, output


def test_every_command_of_the_runbook_runs(driver: Driver) -> None:
    driver.cut_over()
    number = next(row["number"] for row in driver.lab.ops("history") if row["active"] == "sentinel")
    parts = chapters()
    assert {"Before", "Staging", "Cutover", "Verify", "Stop the predecessor", "Rollback"} <= dict(parts).keys()
    for title, blocks in parts:
        for block in blocks if title not in DRILLED else ():
            run(block, number, REFUSED.get(title))
        if title in SERVES:
            driver.must_be(SERVES[title])
    assert json.loads(driver.lab.make("status").stdout)["active"] == "sentinel"
    driver.staged()
