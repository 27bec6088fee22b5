"""The lab's stack for the tests of the rollback, and the sums that are printed when all of them are done."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator

import pytest

from tests.lab.cutover.conftest import Lab, lab
from tests.lab.rollback.sums import Sums
from tests.lab.rollback.world import SOAK, World

__all__ = ["lab"]

SUMS = Sums()
"""For the end of the session: pytest's summary has no fixture."""


@pytest.fixture(scope="package")
def world(lab: Lab) -> Generator[World]:
    """Staged: Sentinel standby, ContextForge on the port."""
    found = World(lab)
    found.acts_here()
    found.staged()
    yield found
    found.staged()


@pytest.fixture
def sums() -> Sums:
    """A test adds its own when it has passed."""
    return SUMS


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """A line of progress past pytest's capture, with how long so far; a soak takes an hour, CI has nothing to tell."""
    began = time.monotonic()

    def told(text: str) -> None:
        if SOAK:
            with capsys.disabled():
                print(f"\n{(time.monotonic() - began) / 60:5.1f} min  {text}", end="", flush=True)

    return told


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in SUMS.lines():
        terminalreporter.write_line(line)
    if SOAK:
        SUMS.document()
