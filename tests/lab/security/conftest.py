"""The course that every module here judges, taken once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from console.paths import ROOT
from console.progress import Progress
from tests.lab.cutover.conftest import STACK, Lab, lab
from tests.lab.security import course as courses
from tests.lab.security.course import Course

__all__ = ["course", "lab", "stack_before"]


@pytest.fixture(scope="package")
def stack_before() -> bool:
    """True when a stack was deployed here; read before the lab makes one."""
    return (ROOT / f"Pulumi.{STACK}.yaml").exists()


@pytest.fixture(scope="package")
def course(stack_before: bool, lab: Lab, progress: Progress) -> Iterator[Course]:
    """The observations from nothing deployed to nothing deployed."""
    yield courses.run(lab, progress)
    if not stack_before:
        # With its configuration, so that whoever comes next begins with the lab as it is made.
        lab.pulumi("stack", "rm", "--yes")
