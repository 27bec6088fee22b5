"""The drain: what Sentinel's bridge says of its calls, and what a host sees of ContextForge's."""

from __future__ import annotations

import socket
import subprocess
import time
from dataclasses import replace
from typing import Any

import pytest

from hostctl.docker.engine import Engine
from hostctl.handover import drain
from hostctl.handover.context import Context
from hostctl.handover.drain import Drained
from hostctl.handover.goal import Goal
from hostctl.handover.journal import Journal
from hostctl.handover.request import HandoverRequest, Limits
from tests.starvation import Stopwatch

FORGE = Goal("contextforge", "forge", "contextforge")
IDLE = (
    "0 0 127.0.0.1:41002 127.0.0.1:9200 cubic bytes_sent:67 bytes_received:113 lastsnd:9012 lastrcv:9001 lastack:9001"
)
WAITING = (
    "0 0 127.0.0.1:41004 127.0.0.1:9200 cubic bytes_sent:134 bytes_received:113 lastsnd:40 lastrcv:5012 lastack:40"
)
NEW = "0 0 127.0.0.1:41006 127.0.0.1:9200 cubic lastsnd:7 lastrcv:7 lastack:7"


def context(seconds: float) -> Context:
    request = HandoverRequest(
        "edge", "internal", 9200, "/nowhere", "sentinel", limits=Limits(calls_seconds=seconds), docker_socket="/nowhere"
    )
    return Context(Engine("/nowhere"), request, Journal("/nowhere"))


def shows(monkeypatch: pytest.MonkeyPatch, *outputs: str, code: int = 0) -> None:
    """`ss` shows these connections, one output after the other."""
    left = list(outputs)

    def ran(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert command[0] == "ss"
        return subprocess.CompletedProcess(command, code, left.pop(0) if len(left) > 1 else left[0], "")

    monkeypatch.setattr(subprocess, "run", ran)


def test_connections_that_wait_for_nothing_delay_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    shows(monkeypatch, f"{IDLE}\n{NEW}\n")
    stopwatch = Stopwatch()
    assert drain.wait(context(5), FORGE) == Drained(idle=True)
    assert stopwatch.seconds < 1


def test_a_call_at_contextforge_is_waited_for_until_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    shows(monkeypatch, f"{IDLE}\n{WAITING}\n", f"{WAITING}\n", f"{IDLE}\n{IDLE}\n")
    assert drain.wait(context(5), FORGE) == Drained(idle=True)


def test_a_call_that_does_not_end_is_waited_for_until_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    shows(monkeypatch, WAITING)
    stopwatch = Stopwatch()
    assert drain.wait(context(0.2), FORGE) == Drained(idle=False)
    assert stopwatch.seconds < 2


def test_a_host_that_shows_no_connections_delays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    shows(monkeypatch, "", code=255)
    assert drain.wait(context(5), FORGE) == Drained()

    def missing(*_: Any, **__: Any) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "run", missing)
    assert drain.wait(context(5), FORGE) == Drained()


def test_nobody_has_no_calls() -> None:
    assert drain.wait(context(5), Goal("nobody")) == Drained()


def test_a_real_kernel_shows_which_call_waits() -> None:
    """The first call of a connection and a later one; an event stream that is silent waits for nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = int(listening.getsockname()[1])
        own = replace(context(0.05), request=replace(context(0.05).request, port=port))
        with socket.create_connection(("127.0.0.1", port)) as client, listening.accept()[0] as server:
            assert drain.wait(own, FORGE) == Drained(idle=True)
            for _ in range(2):
                time.sleep(0.05)
                client.sendall(b"call")
                assert server.recv(100) == b"call"
                assert drain.wait(own, FORGE) == Drained(idle=False)
                server.sendall(b"answer")
                assert client.recv(100) == b"answer"
                assert drain.wait(own, FORGE) == Drained(idle=True)
