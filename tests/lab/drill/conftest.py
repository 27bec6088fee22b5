"""The lab cut over, for faults that take a part of it away."""

from __future__ import annotations

import pytest

from tests.lab.cutover.conftest import lab
from tests.lab.rollback.conftest import driver, say
from tests.lab.rollback.sums import Sums

__all__ = ["driver", "lab", "say"]

SUMS = Sums()
"""Of this group alone: it also runs without the others."""


@pytest.fixture
def sums() -> Sums:
    """A test adds its own when it has passed."""
    return SUMS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in SUMS.lines():
        terminalreporter.write_line(line)
