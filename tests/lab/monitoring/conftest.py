"""The deployed stack with Sentinel on the port, and everything that watches it."""

from __future__ import annotations

import pytest

from console.paths import LOGS
from console.progress import Progress
from ops.engine.run import open_stack
from ops.engine.state import settings_of
from settings import Settings
from tests.lab.cutover.conftest import STACK, Lab, lab

__all__ = ["deployed", "lab", "settings"]


@pytest.fixture(scope="package")
def deployed(lab: Lab) -> Lab:
    lab.set("active", "sentinel")
    lab.up()
    return lab


@pytest.fixture(scope="package")
def settings(deployed: Lab) -> Settings:
    return settings_of(open_stack(STACK, Progress(LOGS), create=False), STACK)
