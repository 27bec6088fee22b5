"""New connections while the port moves: late, not refused, on a real kernel in a network namespace of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator

import pytest

from console.paths import ROOT

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(60, func_only=True),
    pytest.mark.skipif(os.geteuid() != 0, reason="firewall rules need root; run as root"),
]
PORT = 19201
CLIENT = f"""
import socket, time
began = time.monotonic()
socket.create_connection(("127.0.0.1", {PORT}), timeout=10)
print("connected", time.monotonic() - began)
"""
HOLDER = f"""
import sys
from hostctl.handover.held_connections import held
with held({PORT}):
    print("held", flush=True)
    sys.stdin.readline()
print("over", flush=True)
sys.stdin.readline()
"""
SERVER = f"""
import socket, sys
listening = socket.create_server(("127.0.0.1", {PORT}))
print("listens", flush=True)
sys.stdin.readline()
"""


class Namespace:
    """A network namespace with nothing but loopback; it ends with the process that holds it."""

    def __init__(self) -> None:
        up = "ip link set lo up && echo up && exec cat"
        self._anchor = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", up], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._anchor.stdout and self._anchor.stdout.readline() == "up\n"
        self._within = ["nsenter", "--net", "--target", str(self._anchor.pid)]
        self._started: list[subprocess.Popen[str]] = []

    def start(self, program: str) -> subprocess.Popen[str]:
        started = subprocess.Popen(
            [*self._within, sys.executable, "-c", program],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(started)
        return started

    def rules(self) -> list[str]:
        done = subprocess.run(
            [*self._within, "iptables", "-t", "mangle", "-S", "OUTPUT"], capture_output=True, text=True, check=True
        )
        return [line for line in done.stdout.splitlines() if line.startswith("-A")]

    def end(self) -> None:
        for process in (*self._started, self._anchor):
            process.kill()
            process.communicate()


@pytest.fixture
def namespace() -> Generator[Namespace]:
    made = Namespace()
    yield made
    made.end()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_a_connection_without_a_listener_is_refused_without_the_rule_and_late_with_it(namespace: Namespace) -> None:
    refused = namespace.start(CLIENT)
    assert "ConnectionRefusedError" in refused.communicate(timeout=20)[1]
    holder = namespace.start(HOLDER)
    assert said(holder) == "held"
    client = namespace.start(CLIENT)
    time.sleep(0.4)
    assert client.poll() is None
    assert said(namespace.start(SERVER)) == "listens"
    go_on(holder)
    assert said(holder) == "over"
    outcome, seconds = said(client).split()
    assert outcome == "connected"
    # The kernel sends the first packet again after a second.
    assert 0.4 < float(seconds) < 4
    assert namespace.rules() == []


def test_the_rule_of_a_killed_handover_goes_by_itself(namespace: Namespace) -> None:
    holder = namespace.start(HOLDER)
    assert said(holder) == "held"
    assert len(namespace.rules()) == 1
    holder.send_signal(signal.SIGKILL)
    end = time.monotonic() + 20
    while namespace.rules():
        assert time.monotonic() < end, "the rule is still there"
        time.sleep(0.2)
