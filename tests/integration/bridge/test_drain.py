"""The drain before another gateway takes over: a call that ends in time is answered, any other one says so."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hostctl.docker import containers
from hostctl.docker.containers import Attachment, Container, Port
from hostctl.docker.engine import Engine
from hostctl.handover import drain as handover_drain
from hostctl.handover.context import Context
from hostctl.handover.drain import Drained
from hostctl.handover.goal import Goal
from hostctl.handover.journal import Journal
from hostctl.handover.request import HandoverRequest, Limits, SentinelProbe
from tests.integration.bridge.client import Answer, headers, initialize, message, request, token
from tests.integration.bridge.parts import Bridge, adapted, free_port, http_server, running_bridge, until
from tests.integration.bridge.postgres import Database
from tests.starvation import Stopwatch

HANDOVER = {"Authorization": f"Bearer {token(sub='handover')}"}


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory, database: Database) -> Generator[Bridge]:
    folder, port = tmp_path_factory.mktemp("bridge"), free_port()
    beta, adapter = adapted("beta", port)
    with (
        http_server("beta", port),
        running_bridge(folder, [beta], database.url(), **adapter, drained_by="handover") as started,
    ):
        yield started


class Caller:
    """A client whose calls run beside the test."""

    def __init__(self, bridge: Bridge, folder: Path) -> None:
        self._bridge, self._folder = bridge, folder
        own = request(bridge.url, "POST", initialize(), headers()).headers["mcp-session-id"]
        self.headers = headers(Mcp_Session_Id=own)
        self._pool = ThreadPoolExecutor(8)
        self._numbers = iter(range(1, 100))

    def slow(self, seconds: float) -> tuple[Future[Answer], Path]:
        """A call of that length, and the file in which its backend notes that it has begun."""
        number = next(self._numbers)
        diary = self._folder / f"diary-{number}"
        arguments = {"seconds": seconds, "diary": str(diary)}
        body = message("tools/call", number, name="beta_slow", arguments=arguments)
        return self._pool.submit(request, self._bridge.url, "POST", body, self.headers, 30), diary


@pytest.fixture
def caller(bridge: Bridge, tmp_path: Path) -> Caller:
    return Caller(bridge, tmp_path)


def drain(bridge: Bridge, seconds: float, close: bool) -> dict[str, Any]:
    body = {"seconds": seconds, "close": close}
    answer = request(f"http://127.0.0.1:{bridge.port}/drain", "POST", body, HANDOVER, 30)
    assert answer.status == 200, answer.body
    return answer.json()


def outcome(answer: Answer) -> Any:
    """The one message of an answer, sent alone or in a stream."""
    text = answer.body.decode()
    data = next((line[6:] for line in text.splitlines() if line.startswith("data: ")), text)
    return json.loads(data)


def begun(diary: Path) -> None:
    until(lambda: diary.exists() and "begun" in diary.read_text(), "the call begins")


def test_a_call_that_ends_in_time_is_waited_for_and_answered(bridge: Bridge, caller: Caller) -> None:
    call, diary = caller.slow(1.5)
    begun(diary)
    assert drain(bridge, 10, close=True) == {"idle": True, "cut_off": 0}
    assert outcome(call.result(5))["result"]["content"][0]["text"] == "beta: slept"


def test_a_call_that_does_not_end_in_time_says_that_it_may_have_run(bridge: Bridge, caller: Caller) -> None:
    call, diary = caller.slow(4)
    begun(diary)
    waiting, never = caller.slow(0.1)
    assert drain(bridge, 0.5, close=False) == {"idle": False, "cut_off": 0}
    assert not call.done()
    assert drain(bridge, 0.1, close=True) == {"idle": False, "cut_off": 2}
    assert "was cut off, and may have run" in outcome(call.result(5))["error"]["message"]
    assert "did not run, make it again" in outcome(waiting.result(5))["error"]["message"]
    until(lambda: "finished" in diary.read_text(), "the call in work goes on to its end")
    time.sleep(0.3)
    assert not never.exists()


def test_a_call_that_comes_during_the_drain_is_served(bridge: Bridge, caller: Caller) -> None:
    call, diary = caller.slow(1)
    begun(diary)
    drained: list[dict[str, Any]] = []
    draining = threading.Thread(target=lambda: drained.append(drain(bridge, 10, close=True)))
    draining.start()
    later, _ = caller.slow(0.2)
    draining.join(15)
    assert drained == [{"idle": True, "cut_off": 0}]
    assert [outcome(one.result(5))["result"]["content"][0]["text"] for one in (call, later)] == ["beta: slept"] * 2


def test_idle_connections_and_streams_are_closed_and_the_next_request_is_served(bridge: Bridge, caller: Caller) -> None:
    idle, listening = (http.client.HTTPConnection("127.0.0.1", bridge.port, timeout=10) for _ in range(2))
    with contextlib.closing(idle), contextlib.closing(listening):
        idle.request("POST", "/mcp", json.dumps(message("ping")), caller.headers)
        assert idle.getresponse().read()
        listening.request("GET", "/mcp", headers=caller.headers)
        stream = listening.getresponse()
        stopwatch = Stopwatch()
        assert drain(bridge, 5, close=True) == {"idle": True, "cut_off": 0}
        assert stopwatch.seconds < 0.4
        # After the stream's last chunk: its connection has been closed too.
        assert stream.read() == b""
        assert idle.sock is None or idle.sock.recv(1) == b""
    assert request(bridge.url, "POST", message("ping"), caller.headers).status == 200


@pytest.mark.parametrize("body", [b"", b"[]", {"seconds": "x", "close": True}, {"seconds": 61, "close": True}, {}])
def test_a_drain_that_is_not_understood_is_refused(bridge: Bridge, body: Any) -> None:
    assert request(f"http://127.0.0.1:{bridge.port}/drain", "POST", body, HANDOVER).status == 400


def test_to_every_other_caller_there_is_no_drain(bridge: Bridge) -> None:
    body = {"seconds": 0, "close": True}
    assert request(f"http://127.0.0.1:{bridge.port}/drain", "POST", body, headers()).status == 404
    assert request(f"http://127.0.0.1:{bridge.port}/drain", "POST", body).status == 401


def test_the_handovers_own_drain_waits_for_the_bridge_and_closes_it(
    bridge: Bridge, caller: Caller, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    at = Attachment("sentinel", internal=True, address="127.0.0.1")
    port = Port(f"{bridge.port}/tcp", "127.0.0.1", bridge.port)
    serving = Container("serving", "gateway", attachments=(at,), declared=(port,))
    monkeypatch.setattr(containers, "find", lambda *_: serving)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    (tmp_path / "token").write_text(token(sub="handover"))
    request = HandoverRequest(
        "edge",
        "sentinel",
        bridge.port,
        str(tmp_path),
        probe=SentinelProbe(token_file=str(tmp_path / "token")),
        limits=Limits(calls_seconds=10),
    )
    context, origin = Context(Engine("/nowhere"), request, Journal(str(tmp_path))), Goal("sentinel", "serving")
    call, diary = caller.slow(1)
    begun(diary)
    assert handover_drain.wait(context, origin) == Drained(idle=True, cut_off=0)
    assert outcome(call.result(5))["result"]["content"][0]["text"] == "beta: slept"
    endless, diary = caller.slow(5)
    begun(diary)
    assert handover_drain.close(context, origin) == Drained(idle=False, cut_off=1)
    assert "may have run" in outcome(endless.result(5))["error"]["message"]
    (tmp_path / "token").write_text(token(sub="somebody"))
    assert handover_drain.wait(context, origin) == Drained()
