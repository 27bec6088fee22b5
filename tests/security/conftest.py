"""The course that every module here judges, taken once."""

from __future__ import annotations

import pytest

from ops.progress import Progress
from tests.security import course as courses
from tests.security.course import Course
from tests.story.conftest import Lab, lab

__all__ = ["course", "lab"]


@pytest.fixture(scope="package")
def course(lab: Lab, progress: Progress) -> Course:
    """What was seen from nothing deployed to nothing deployed."""
    return courses.run(lab, progress)
