"""The deployed stack with Sentinel on the port, and everything that watches it."""

from __future__ import annotations

import pytest

from components.settings import Settings
from ops import asking
from ops.engine import open_stack
from ops.paths import LOGS
from ops.progress import Progress
from tests.story.conftest import STACK, Lab, lab

__all__ = ["deployed", "lab", "settings"]


@pytest.fixture(scope="package")
def deployed(lab: Lab) -> Lab:
    lab.set("active", "sentinel")
    lab.up()
    return lab


@pytest.fixture(scope="package")
def settings(deployed: Lab) -> Settings:
    return asking.settings_of(open_stack(STACK, Progress(LOGS), create=False), STACK)
