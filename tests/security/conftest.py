"""The course that every module here judges, taken once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ops.paths import ROOT
from ops.progress import Progress
from tests.security import course as courses
from tests.security.course import Course
from tests.story.conftest import STACK, Lab, lab

__all__ = ["course", "lab", "stack_before"]


@pytest.fixture(scope="package")
def stack_before() -> bool:
    """Whether somebody had a stack here; asked before the lab makes one."""
    return (ROOT / f"Pulumi.{STACK}.yaml").exists()


@pytest.fixture(scope="package")
def course(stack_before: bool, lab: Lab, progress: Progress) -> Iterator[Course]:
    """What was seen from nothing deployed to nothing deployed."""
    yield courses.run(lab, progress)
    if not stack_before:
        # With its configuration, so that whoever comes next begins with the lab as it is made.
        lab.pulumi("stack", "rm", "--yes")
