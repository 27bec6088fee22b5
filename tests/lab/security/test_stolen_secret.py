"""Attack: read the state, a backup, a log, `docker inspect` or the process list, and find a secret in it.

Defence: secrets are encrypted in the state, travel by stdin, and stand in files that only their reader may read.
"""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.lab.security.course import Course
from tests.lab.security.secrets_at_large import Found, Search

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]
SECRET = "a-secret-of-this-test-0123456789"


def test_no_secret_stands_in_the_clear_anywhere_else(course: Course) -> None:
    print(course.search.report())
    assert course.search.found == []


@pytest.mark.parametrize(
    "place",
    [
        "state, its backups and its history",
        "the stack's configuration",
        "the engine's output",
        "the engine's event log",
        "docker inspect of every container",
        "docker logs of every container",
        "docker's records and logs of containers",
        "docker's volumes",
        "process list: command lines",
        "process list: environments",
        "stack outputs",
        "stack export",
        "what Grafana answers",
        "what Prometheus answers",
        "the dashboards and rules of the repository",
        "logs of the lab and of make",
        "the product's folder",
        "the operator's home",
    ],
)
def test_the_place_was_searched(course: Course, place: str) -> None:
    assert course.search.searched[place] > 0


def test_the_search_was_for_the_secrets_of_the_stack(course: Course) -> None:
    wanted = {
        "jwt_secret", "postgres_password", "health_token", "exa_api_key", "grafana_admin_password",
        "grafana_secret_key", "discord_webhook", "ContextForge's token",
    }  # fmt: skip
    assert wanted <= set(course.search.secrets)


def test_the_engines_event_log_was_searched_with_the_commands_inputs_and_outputs_in_it(course: Course) -> None:
    assert course.search.searched["the engine's event log"] > 100_000


def test_the_process_list_was_read_all_through_the_run(course: Course) -> None:
    assert course.process_readings > 20


def test_the_program_and_the_gateway_alone_hold_secrets_in_their_environment(course: Course) -> None:
    assert course.process_holders <= {
        "the program, while the engine runs it",
        "the gateway and its backends, inside Sentinel's container",
    }


def test_a_file_that_holds_a_secret_is_its_readers_alone(course: Course) -> None:
    wrong = {path: found for path, found in course.holders.items() if found[1] not in (0o400, 0o600)}
    assert wrong == {}


ENCODED = [base64.b64encode(b"x" * before + SECRET.encode() + b"y" * 5) for before in range(6)]


@pytest.mark.parametrize("text", [SECRET, f"postgres://sentinel:{SECRET}@postgres", *ENCODED])
def test_the_search_finds_a_secret_in_every_form(text: str | bytes, tmp_path: Path) -> None:
    search = Search({"it": SECRET})
    search.text("text", text)
    assert search.found == [Found("it", "text")]
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_bytes(text if isinstance(text, bytes) else text.encode())
    search.files("files", [tmp_path])
    assert search.found[1:] == [Found("it", str(tmp_path / "below" / "file"))]
    assert search.searched["files"] == len(text)
