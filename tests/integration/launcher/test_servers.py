"""Servers that write, die, ignore SIGTERM and answer badly, as a client of the bridge sees them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Generator
from typing import Any

import pytest

from settings.gateway_sections import GATEWAY_MEMORY_MB, OWN_MEMORY_MB, SUPERVISOR_MEMORY_MB
from tests.integration.bridge.client import request
from tests.integration.bridge.parts import resident_mb, until
from tests.integration.bridge.postgres import Database
from tests.integration.launcher.parts import House, house, started_pids


@pytest.fixture(scope="module")
def running(database: Database) -> Generator[House]:
    """One house for the tests that leave it as it was."""
    with house(database.url(), {"alpha": {}}, answer_limit_bytes=100_000) as made:
        yield made


def test_all_pages_of_a_servers_tools_are_listed(running: House) -> None:
    assert running.tools() == ["alpha_do", "alpha_page_1", "alpha_page_2"]


def test_its_stderr_is_in_the_log_with_its_name_and_at_a_limited_rate(running: House) -> None:
    assert "[alpha] alpha starts\n" in running.log()
    assert running.call("alpha", "flood", 3000) == "flood 3000"
    time.sleep(0.3)
    assert running.call("alpha", "flood", 1) == "flood 1"
    until(lambda: "lines left out)" in running.log(), "the omitted lines are counted")
    assert running.log().count("[alpha] line") < 300


@pytest.mark.parametrize(
    ("what", "value", "expected"),
    [
        ("noise", "", "noise "),
        ("half_emoji", "", "cut \ufffd"),
        ("text_id", "", "text"),
        ("not_strict", "", "alpha answered with what is no JSON (NaN is no JSON)"),
        ("long", 200_000, "alpha answered with more than 100000 bytes"),
    ],
)
def test_an_odd_answer_becomes_a_good_one_or_an_error_and_the_next_call_works(
    running: House, what: str, value: object, expected: str
) -> None:
    answer = running.call("alpha", what, value)
    assert expected in (answer["message"] if isinstance(answer, dict) else answer)
    assert running.call("alpha", "echo", "x") == "echo x"


def test_the_settings_call_for_the_memory_that_supervisor_bridge_and_gateway_have(running: House) -> None:
    """The double takes more than the published gateway (GATEWAY_UNDER_TEST), so that its own memory says nothing."""
    for number in range(40):
        assert running.call("alpha", "echo", number) == f"echo {number}"
    expected = {"supervisor": SUPERVISOR_MEMORY_MB, "bridge": OWN_MEMORY_MB}
    if os.environ.get("GATEWAY_UNDER_TEST"):
        expected["gateway"] = GATEWAY_MEMORY_MB
    for name, pid in running.first_processes().items():
        if name in expected:
            assert 0.8 < resident_mb(pid) / expected[name] < 1.1, name


def test_the_gauge_of_a_server_that_does_not_answer_is_0_until_it_does(database: Database) -> None:
    """The gateway's own gauge of a stdio backend is always 1."""

    def gauge() -> str:
        text = request(f"http://127.0.0.1:{made.bridge.health_port}/metrics", "GET").body.decode()
        return next(line[-1] for line in text.splitlines() if line.startswith("sentinel_backend_healthy{"))

    with house(database.url(), {"alpha": {}}, probe_seconds=0.3) as made:
        until(lambda: gauge() == "1", "it is healthy")
        (server,) = made.processes()
        os.kill(server, signal.SIGSTOP)
        until(lambda: gauge() == "0", "it is unhealthy")
        os.kill(server, signal.SIGCONT)
        until(lambda: gauge() == "1", "it is healthy again")
        assert made.call("alpha", "echo", "x") == "echo x"


def test_a_servers_own_request_is_answered(running: House) -> None:
    assert "Method not found: roots/list" in running.call("alpha", "ask")


def test_ten_deaths_cost_the_calls_under_way_only(running: House) -> None:
    waits: list[float] = []
    for number in range(10):
        answers: list[Any] = []
        slow = threading.Thread(target=lambda: answers.append(running.call("alpha", "slow", 20, 9)))  # noqa: B023
        slow.start()
        time.sleep(0.3)
        os.kill(started_pids(running.log(), "alpha")[-1], signal.SIGKILL)
        slow.join(5)
        assert answers[0]["message"].endswith("alpha ended (signal 9) before it answered")
        began = time.monotonic()
        assert running.call("alpha", "echo", number) == f"echo {number}"
        waits.append(time.monotonic() - began)
    print(f"next good call after {max(waits) * 1000:.0f} ms at most")
    assert max(waits) < 2


def test_a_call_that_ends_the_server_is_not_repeated(running: House) -> None:
    assert running.call("alpha", "exit", 7)["message"].endswith("alpha ended (exit code 7) before it answered")
    assert running.call("alpha", "echo", "x") == "echo x"
    assert "alpha: its server ended (exit code 7); 1 call answered with an error; next start in 0 s" in running.log()


def test_a_server_that_dies_in_a_loop_costs_the_others_nothing(database: Database) -> None:
    began = time.monotonic()
    with house(database.url(), {"alpha": {}, "broken": {"DIES_AT_START": "1"}}) as made:
        assert time.monotonic() - began < 20
        assert made.call("alpha", "echo", "x") == "echo x"
        assert "[broken] no key" in made.log()
        assert "broken: its server ended (exit code 3)" in made.log()


def test_at_the_stop_a_server_that_ignores_sigterm_is_killed(database: Database) -> None:
    with house(database.url(), {"alpha": {"IGNORES_SIGTERM": "1"}, "beta": {}}) as made:
        assert made.call("alpha", "echo", "x") == "echo x"
        assert len(made.processes()) == 2
        process = made.bridge.program.process
        process.terminate()
        assert process.wait(15) == 0, made.log()
        assert made.processes() == {}
        assert "Traceback" not in made.log()


def test_the_gateways_death_ends_the_servers_and_the_next_one_gets_new_ones(database: Database) -> None:
    with house(database.url(), {"alpha": {}}) as made:
        os.kill(made.first_processes()["gateway"], signal.SIGKILL)
        until(lambda: len(started_pids(made.log(), "alpha")) == 2, "a new server serves")
        until(lambda: made.call("alpha", "echo", "x") == "echo x", "the same session works again")
        assert len(made.processes()) == 1, made.log()
