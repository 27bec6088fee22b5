"""Attack: use a secret that leaked, some day.

Defence: `make rotate` makes it worthless at once, and says what that cost.
"""

from __future__ import annotations

import pytest

from tests.security.course import Course

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]
LIMIT_MS = 2000
"""Of one handover on a machine that also runs the tests."""


@pytest.mark.parametrize("secret", ["jwt_secret", "postgres_password"])
def test_after_a_rotation_every_backend_answers_and_the_cost_is_told(course: Course, secret: str) -> None:
    rotation = course.rotated[secret]
    assert "error" not in rotation.said, rotation.said
    assert 0 < rotation.said["downtime_ms"] < LIMIT_MS
    assert rotation.verified is True


def test_another_key_of_the_tokens_renews_claudes_token_at_once(course: Course) -> None:
    assert course.rotated["jwt_secret"].token_changed is True
    assert course.rotated["postgres_password"].token_changed is False


def test_the_database_takes_the_new_password_and_the_old_no_longer(course: Course) -> None:
    rotation = course.rotated["postgres_password"]
    assert (rotation.database_takes_old, rotation.database_takes_new) == (False, True)
