"""When a container may be frozen, and that no command is caught at its beginning, on a real Docker engine."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any
from urllib.parse import quote

import pytest

from hostctl.clock import seconds_of
from hostctl.docker import Engine
from hostctl.handover import freeze, freezer
from tests.hostctl.handover_host import Host

COMMAND = [os.path.realpath(sys.executable), "-I", "-S", "-c", "pass"]
REFUSED = 126
LOOK_SECONDS = 2.0
"""A look at a frozen container takes milliseconds, and ten seconds or for ever where a command was caught."""


def at(seconds: float) -> str:
    return f"2026-11-27T12:00:{seconds:012.9f}Z"


ZERO = seconds_of(at(0))


def inspected(started: float, *ended: float, interval: float = 30, health: bool = True) -> dict[str, Any]:
    return {
        "State": {"StartedAt": at(started), "Health": {"Log": [{"End": at(end)} for end in ended]} if health else None},
        "Config": {"Healthcheck": {"Test": ["CMD", "true"], "Interval": int(interval * 1e9)} if health else None},
    }


def event(action: str, seconds: float, identifier: str = "a") -> dict[str, Any]:
    return {
        "Action": action,
        "timeNano": int((ZERO + seconds) * 1e9),
        "Actor": {"Attributes": {"execID": identifier}},
    }


@pytest.mark.parametrize(
    ("found", "events", "now", "due"),
    [
        (inspected(0, health=False), [], 30, False),
        (inspected(0), [], 28.5, False),
        (inspected(0), [], 29.5, True),
        (inspected(0), [], 31, True),
        # A probe that is three seconds late is at work, or is none.
        (inspected(0), [], 33.5, False),
        (inspected(0, 20.5), [], 30, False),
        (inspected(0, 2, 20.5), [], 50, True),
        (inspected(0, 2), [event("unpause", 25)], 32, False),
        (inspected(0, 2), [event("unpause", 25)], 54.5, True),
        (inspected(0, 10, interval=0.4), [], 10.1, False),
        (inspected(0, 10, interval=0.4), [], 10.3, True),
    ],
)
def test_a_probe_is_due_an_interval_after_the_last_or_a_start_or_an_unpause(
    found: dict[str, Any], events: list[dict[str, Any]], now: float, due: bool
) -> None:
    assert freeze.probe_due(found, events, ZERO + now) is due


def test_a_command_begins_for_three_seconds_or_until_it_has_ended() -> None:
    events = [
        event("exec_start: /bin/old", 1, "old"),
        event("exec_start: /bin/sh -c true", 8, "ended"),
        event("exec_start: /bin/sh", 9, "young"),
        event("exec_die", 9.1, "ended"),
    ]
    assert freeze.beginning(events, ZERO + 10) == {"young"}


@pytest.mark.parametrize(
    ("groups", "unified", "file", "frozen"),
    [
        ("0::/system.slice/docker-1.scope", False, "system.slice/docker-1.scope/cgroup.freeze", "1"),
        ("4:memory:/docker/1\n0::/docker/1", True, "unified/docker/1/cgroup.freeze", "1"),
        ("7:freezer:/docker/1\n4:cpu,cpuacct:/docker/1\n0::/", True, "freezer/docker/1/freezer.state", "FROZEN"),
    ],
)
def test_the_kernels_freezer_is_found_in_each_version_of_control_groups(
    groups: str, unified: bool, file: str, frozen: str, tmp_path: Path
) -> None:
    mount = tmp_path / "cgroup"
    (mount / "unified" if unified else mount).mkdir(parents=True)
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cgroup").write_text(groups + "\n")
    found = freezer.of(7, tmp_path, mount)
    assert found.file == mount / file
    assert found.frozen == frozen


@contextmanager
def commands_beginning(host: Host, name: str) -> Generator[Queue[int]]:
    """`docker exec` in a container, one after the other; what each ended with."""
    ended: Queue[int] = Queue()
    enough = threading.Event()

    def begin() -> None:
        # From a connection of its own, as an operator's shell has.
        engine = Engine(host.docker_socket)
        while not enough.is_set():
            try:
                ended.put(engine.inside(host.ids[name], COMMAND, 60)[0])
            except freeze.DockerError:
                # One that comes as the container is frozen is refused.
                enough.wait(0.05)

    thread = threading.Thread(target=begin)
    thread.start()
    try:
        yield ended
    finally:
        enough.set()
        thread.join(60)
        assert not thread.is_alive()


def looked_at(host: Host, name: str) -> None:
    """Frozen, it can be looked at."""
    began = time.monotonic()
    assert host.inspect(name)["State"]["Paused"] is True
    assert time.monotonic() - began < LOOK_SECONDS


def looked_at_and_thawed(host: Host, name: str) -> None:
    looked_at(host, name)
    host.engine.post(f"/containers/{host.ids[name]}/unpause")


def probe_begins(host: Host, name: str) -> None:
    """Returns as soon as Docker says so, long before the probe has its process."""
    filters = quote(json.dumps({"container": [host.ids[name]], "event": ["exec_start"]}))
    with host.engine.download(f"/events?filters={filters}", 30) as events:
        assert events.readline()


@pytest.mark.lab
def test_at_a_quiet_moment_a_plain_pause_catches_no_probe_although_one_has_just_begun(host: Host) -> None:
    host.create("probed", host.own, {}, health=["CMD", *COMMAND], probed_every=2)
    try:
        for _ in range(8):
            probe_begins(host, "probed")
            freeze.await_quiet(host.engine, host.ids["probed"])
            host.engine.post(f"/containers/{host.ids['probed']}/pause")
            looked_at_and_thawed(host, "probed")
    finally:
        host.remove_container("probed")


@pytest.mark.lab
def test_while_commands_begin_all_the_time_none_is_caught_and_docker_goes_on_answering(host: Host) -> None:
    process = host.inspect("forge")["State"]["Pid"]
    with commands_beginning(host, "forge") as ended:
        for _ in range(6):
            freeze.freeze(host.engine, host.ids["forge"], process)
            looked_at_and_thawed(host, "forge")
            while not ended.empty():
                assert ended.get() in (0, REFUSED)
            # The second began after the thaw: right after one, `docker inspect` may deny the next pause for a moment.
            for _ in range(2):
                assert ended.get(timeout=10) in (0, REFUSED)


@pytest.mark.lab
def test_there_and_back_while_commands_begin_in_the_predecessor_all_the_time(host: Host) -> None:
    with commands_beginning(host, "forge") as ended:
        assert ended.get(timeout=10) == 0
        assert host.handover("take")["active"] == "sentinel"
        looked_at(host, "forge")
        assert host.handover("give")["active"] == "contextforge"
    assert host.who_answers() == "forge"
