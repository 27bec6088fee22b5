"""Bounded waits: no call waits without an end, and one that fails does so alone."""

from __future__ import annotations

import http.client
import json
import socket
import sys
import time
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.bridge.client import Answer, headers, initialize, message, request
from tests.integration.bridge.parts import (
    Bridge,
    adapted,
    bridge_before,
    free_port,
    gateway,
    gateway_command,
    http_server,
    program,
    stdio_backend,
    until,
    write_bridge_json,
    write_gateway_toml,
)
from tests.integration.bridge.postgres import Database
from tests.starvation import Stopwatch

ODD_GATEWAY = Path(__file__).with_name("odd_gateway.py")
CALL_SECONDS, QUEUE_LENGTH = 3, 3
UNREAD_SECONDS = 20
"""As in the bridge (bridge/__main__.py)."""


@contextmanager
def odd_bridge(folder: Path, **changes: Any) -> Generator[Bridge]:
    port = free_port()
    limits: dict[str, Any] = {"call_seconds": CALL_SECONDS, "queue_length": QUEUE_LENGTH, "body_seconds": 2, **changes}
    file = write_bridge_json(folder, port, [sys.executable, str(ODD_GATEWAY)], "unused", **limits)
    with program(sys.executable, "-m", "bridge", "--config", file) as started:
        until(lambda: "MCP is served" in started.log(), "it serves", 30)
        yield Bridge(port, 0, started, file)


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Generator[Bridge]:
    with odd_bridge(tmp_path_factory.mktemp("bridge")) as started:
        yield started


@pytest.fixture
def session(bridge: Bridge) -> dict[str, str]:
    return opened(bridge)


@pytest.fixture
def clients() -> Generator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


def opened(bridge: Bridge) -> dict[str, str]:
    return headers(Mcp_Session_Id=request(bridge.url, "POST", initialize(), headers()).headers["mcp-session-id"])


def call(bridge: Bridge, session: dict[str, str], own_id: int, tool: str) -> Answer:
    plain = {**session, "Accept": "application/json"}
    return request(bridge.url, "POST", message("tools/call", own_id, name=tool, arguments={}), plain)


def error(answer: Answer) -> str:
    return answer.json()["error"]["message"]


def works(bridge: Bridge, session: dict[str, str]) -> bool:
    return "result" in call(bridge, session, 99, "well").json()


def test_a_full_queue_refuses_at_once_and_the_queued_calls_are_answered(
    bridge: Bridge, session: dict[str, str], clients: ThreadPoolExecutor
) -> None:
    queued: list[Future[Answer]] = []
    for own_id in range(1 + QUEUE_LENGTH):
        queued.append(clients.submit(call, bridge, session, own_id, "sleep"))
        time.sleep(0.1)
    stopwatch = Stopwatch()
    assert error(call(bridge, session, 50, "well")) == "3 calls wait for the gateway already: try again later"
    assert stopwatch.seconds < 0.5
    assert all("result" in one.result().json() for one in queued), "each has the limit for itself, not its wait"


def test_a_call_over_its_limit_is_answered_and_the_gateway_replaced(bridge: Bridge, session: dict[str, str]) -> None:
    (before,) = bridge.children()
    began = time.monotonic()
    assert error(call(bridge, session, 1, "silent")) == "the gateway gave no answer within 3 s"
    assert time.monotonic() - began < CALL_SECONDS + 1
    until(lambda: works(bridge, session), "the same session works again")
    assert bridge.children() != [before]


def test_calls_in_the_queue_outlive_a_gateway_that_ends(
    bridge: Bridge, session: dict[str, str], clients: ThreadPoolExecutor
) -> None:
    sleeping = clients.submit(call, bridge, session, 1, "sleep")
    time.sleep(0.2)
    ending = clients.submit(call, bridge, session, 2, "end")
    time.sleep(0.2)
    queued = clients.submit(call, bridge, session, 3, "well")
    assert "result" in sleeping.result().json()
    assert error(ending.result()) == "the gateway ended before it answered"
    assert "result" in queued.result().json()


def test_an_answer_over_the_limit_fails_its_call_alone(bridge: Bridge, session: dict[str, str]) -> None:
    before = bridge.children()
    assert error(call(bridge, session, 1, "large")) == "the answer has more than 16777216 bytes"
    assert works(bridge, session) and bridge.children() == before


def test_an_answer_under_the_id_null_is_that_of_the_call_in_work(bridge: Bridge, session: dict[str, str]) -> None:
    answer = call(bridge, session, 7, "unread").json()
    assert (answer["id"], answer["error"]["code"]) == (7, -32700)
    assert works(bridge, session)


def test_a_queued_call_that_is_cancelled_never_runs(
    bridge: Bridge, session: dict[str, str], clients: ThreadPoolExecutor
) -> None:
    before = bridge.children()
    sleeping = clients.submit(call, bridge, session, 1, "sleep")
    time.sleep(0.2)
    ending = clients.submit(call, bridge, session, 2, "end")
    time.sleep(0.2)
    request(bridge.url, "POST", message("notifications/cancelled", None, requestId=2), session)
    assert error(ending.result()).startswith("Request cancelled")
    assert "result" in sleeping.result().json()
    assert works(bridge, session) and bridge.children() == before


def test_a_stop_waits_for_the_call_in_work_and_refuses_the_queued(tmp_path: Path, clients: ThreadPoolExecutor) -> None:
    with odd_bridge(tmp_path) as bridge:
        session = opened(bridge)
        sleeping = clients.submit(call, bridge, session, 1, "sleep")
        time.sleep(0.2)
        queued = clients.submit(call, bridge, session, 2, "sleep")
        time.sleep(0.2)
        bridge.program.process.terminate()
        assert error(queued.result()) == "the gateway is being stopped"
        assert "result" in sleeping.result().json()
        assert bridge.program.process.wait(5) == 0, bridge.program.log()


def test_a_stop_ends_a_call_that_takes_longer_than_the_stop_may(tmp_path: Path, clients: ThreadPoolExecutor) -> None:
    with odd_bridge(tmp_path, stop_seconds=0.5, call_seconds=60) as bridge:
        silent = clients.submit(call, bridge, opened(bridge), 1, "silent")
        time.sleep(0.2)
        bridge.program.process.terminate()
        assert error(silent.result()) == "the gateway ended before it answered"
        assert bridge.program.process.wait(5) == 0, bridge.program.log()


def test_a_slow_body_of_one_client_delays_nobody(bridge: Bridge, session: dict[str, str]) -> None:
    head = "".join(f"{name}: {value}\r\n" for name, value in session.items())
    with socket.create_connection(("127.0.0.1", bridge.port)) as slow:
        first = f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{bridge.port}\r\nContent-Length: 100\r\n{head}\r\n{{"
        slow.sendall(first.encode())
        assert works(bridge, session)


def test_a_body_that_does_not_come_is_answered_408_and_its_connection_ends(
    bridge: Bridge, session: dict[str, str]
) -> None:
    head = "".join(f"{name}: {value}\r\n" for name, value in session.items())
    with socket.create_connection(("127.0.0.1", bridge.port), timeout=10) as slow:
        first = f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{bridge.port}\r\nContent-Length: 100\r\n{head}\r\n{{"
        slow.sendall(first.encode())
        received = b"".join(iter(lambda: slow.recv(65536), b""))
    assert received.startswith(b"HTTP/1.1 408 ")
    assert b"body_too_slow" in received and b"the body did not come within 2 s" in received
    assert works(bridge, session)


def test_an_idle_connection_is_the_clients_to_close(bridge: Bridge) -> None:
    """A call of the gateway's met the moment at which the bridge closed the connection, and was lost."""
    with closing(http.client.HTTPConnection("127.0.0.1", bridge.port, timeout=6)) as client:
        client.request("GET", "/")
        answer = client.getresponse()
        # Headers and body may come apart: nothing else of the answer is left.
        assert answer.status == 401 and answer.read()
        with pytest.raises(TimeoutError):
            client.sock.recv(65536)


def test_each_backend_has_a_limit_of_its_own(tmp_path: Path, database: Database, clients: ThreadPoolExecutor) -> None:
    port = free_port()
    beta, adapter = adapted("beta", port)
    own = free_port()
    toml = write_gateway_toml(tmp_path / "sentinel.toml", [stdio_backend("alpha"), beta], own)
    main = {**gateway(gateway_command(toml), own), "backends": {"alpha": 65, "beta": 1.5}}
    with http_server("beta", port), bridge_before(tmp_path, {"main": main}, database.url(), **adapter) as bridge:
        session = opened(bridge) | {"Accept": "application/json"}

        def slow(own_id: int, name: str, seconds: float) -> Answer:
            arguments = {"seconds": seconds}
            return request(
                bridge.url, "POST", message("tools/call", own_id, name=f"{name}_slow", arguments=arguments), session
            )

        first = clients.submit(slow, 1, "alpha", 2)
        time.sleep(0.3)
        began = time.monotonic()
        queued = slow(2, "beta", 1)
        assert "result" in first.result().json()
        assert "result" in queued.json(), "its limit begins with its turn"
        assert time.monotonic() - began > 2
        assert error(slow(3, "beta", 5)) == "the gateway gave no answer within 1.5 s"


def test_a_client_that_does_not_read_is_dropped_and_keeps_nobody_waiting(
    bridge: Bridge, session: dict[str, str]
) -> None:
    body = json.dumps(message("tools/call", 1, name="long", arguments={}))
    lines = {**session, "Content-Length": str(len(body)), "Host": f"127.0.0.1:{bridge.port}"}
    head = "POST /mcp HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    with socket.create_connection(("127.0.0.1", bridge.port)) as deaf:
        deaf.sendall(f"{head}\r\n{body}".encode())
        assert works(bridge, session)
        time.sleep(UNREAD_SECONDS + 2)
        received = 0
        while piece := deaf.recv(1_000_000):
            received += len(piece)
        assert received < 15_000_000, "the kernel kept some of it; the bridge has given up the others"
