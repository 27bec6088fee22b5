"""The lab's stack for the tests of the rollback, and the sums that are printed when all of them are done."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any

import pytest

from tests.lab.cutover.conftest import Lab, lab
from tests.lab.rollback.driver import Driver
from tests.lab.rollback.sums import Sums
from tests.soak import SOAK

__all__ = ["lab"]

SUMS = Sums()
"""For the end of the session: pytest's summary has no fixture."""


@pytest.fixture(scope="package")
def driver(lab: Lab) -> Generator[Driver]:
    """Staged: Sentinel standby, ContextForge on the port."""
    found = Driver(lab)
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
    """A line of progress with the time so far, past pytest's capture; printed by a soak alone, which takes an hour."""
    began = time.monotonic()

    def say(text: str) -> None:
        if SOAK:
            with capsys.disabled():
                print(f"\n{(time.monotonic() - began) / 60:5.1f} min  {text}", end="", flush=True)

    return say


def pytest_sessionfinish(session: pytest.Session) -> None:
    """From a worker to the process that reports (tests/conftest.py)."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["lines"] = SUMS.lines()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in SUMS.lines():
        terminalreporter.write_line(line)
    if SOAK:
        SUMS.document()
