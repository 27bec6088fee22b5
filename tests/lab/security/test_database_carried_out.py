"""Attack: from the database's container, send the audit log to a machine outside.

Defence: Postgres is on the internal network only; that network has no egress.
"""

from __future__ import annotations

import pytest

from tests.lab.security.course import Course

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]


def test_postgres_is_on_the_internal_network_only_and_publishes_nothing(course: Course) -> None:
    found = course.containers["sentinel-postgres"]["NetworkSettings"]
    assert list(found["Networks"]) == ["sentinel"]
    assert not any(found["Ports"].values())


def test_from_inside_postgres_nothing_outside_can_be_reached(course: Course) -> None:
    # No route, or a route whose packets Docker drops, so that the attempt runs out of time: by Docker's version.
    assert course.egress["sentinel-postgres"] in ("ENETUNREACH", "EHOSTUNREACH", "EAGAIN")


def test_the_same_attempt_gets_through_from_where_there_is_a_egress(course: Course) -> None:
    """The control: somebody listened, and Sentinel, which serves on the edge network, and the VPS reached it."""
    assert course.egress["the VPS"] == "connected"
    (gateway,) = [name for name in course.egress if name.startswith("sentinel-gateway-")]
    assert course.egress[gateway] == "connected"
