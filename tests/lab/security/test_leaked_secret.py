"""Attack: use a secret that leaked, some day.

Defence: `make rotate` makes it worthless at once, and says what that cost.
"""

from __future__ import annotations

import pytest

from tests.lab.security.course import Course
from tests.lab.security.rotating import NEW_SENTINEL, ROTATED

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]
LIMIT_MS = 2000
"""Of one handover on a machine that also runs the tests."""
CLIENT_LIMIT_MS = 60000
"""Of a client that reads its token file at each attempt: after another key also until that file is written again."""


@pytest.mark.parametrize("key", ROTATED)
def test_after_a_rotation_every_backend_answers_and_the_downtime_is_reported(course: Course, key: str) -> None:
    rotation = course.rotated[key]
    assert "error" not in rotation.document, rotation.document
    assert rotation.verified is True
    reported = rotation.document["downtime_ms"]
    print(f"{key}: {reported} ms by the program, {rotation.seen_ms} ms for a client")
    assert (0 < reported < LIMIT_MS) if key in NEW_SENTINEL else reported == 0
    assert rotation.seen_ms < CLIENT_LIMIT_MS


@pytest.mark.parametrize("key", ROTATED)
def test_another_key_of_the_tokens_and_nothing_else_renews_claudes_token(course: Course, key: str) -> None:
    assert course.rotated[key].token_changed is (key == "jwt_secret")


@pytest.mark.parametrize("key", ROTATED)
def test_every_part_that_can_be_probed_takes_the_new_value_and_refuses_the_old(course: Course, key: str) -> None:
    """The database, Grafana, and the health port; the others take what is in the files that they were started with."""
    rotation = course.rotated[key]
    assert (rotation.takes_old, rotation.takes_new) in ((False, True), (None, None))
    if key in ("postgres_password", "grafana_admin_password"):
        assert (rotation.takes_old, rotation.takes_new) == (False, True)
