"""Attack: take over one stdio backend's server, and read from there the secrets of the others and of the gateway.

Defence: every server is a user of its own, with its own variables, its own secret files, and no capability.
"""

from __future__ import annotations

import pytest

from tests.lab.security.course import Course
from tests.lab.security.stolen import SENTINEL_USER

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]
SERVERS = 5


def test_every_server_is_a_user_of_its_own_and_only_the_first_processes_are_root(course: Course) -> None:
    # The process that reads the list is root too, as Docker starts one.
    roots = {one["command"] for one in course.inside.processes if one["user"] == 0}
    assert roots <= {"docker-init", "tini", "init", "python3", "curl"}
    users = {one["user"] for one in course.inside.processes} - {0, SENTINEL_USER}
    assert users == {SENTINEL_USER + 100 + number for number in range(SERVERS)}


def test_no_process_but_the_supervisor_has_a_capability_or_a_second_group(course: Course) -> None:
    others = [one for one in course.inside.processes if one["user"] != 0]
    assert len(others) >= SERVERS + 2
    assert {one["capabilities"] for one in others} == {0}
    assert not any(one["groups"] for one in others)


def test_a_server_opens_its_own_secret_files_alone_and_no_socket_of_the_bridge(course: Course) -> None:
    assert len(course.inside.opened) == SERVERS
    opened = [sorted(found) for found in course.inside.opened.values() if found]
    assert opened == [["/run/secrets/firecrawl.FIRECRAWL_API_KEY"]]


def test_its_environment_has_its_own_secret_and_none_of_the_gateways(course: Course) -> None:
    gateways = {"JWT_SECRET_KEY", "DATABASE_URL", "SENTINEL_TOKEN", "HEALTH_TOKEN"}
    keyed: set[int] = set()
    for user, processes in course.inside.environments.items():
        servers = [own for pid, own in processes.items() if course.inside.started_by_the_supervisor(pid)]
        assert [own["HOME"].startswith("/tmp/home-") for own in servers] == [True], f"the server of user {user}"
        for variables in processes.values():
            assert not gateways & set(variables)
            keyed |= {user} if "FIRECRAWL_API_KEY" in variables else set()
    assert len(keyed) == 1
