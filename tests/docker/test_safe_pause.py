"""No command is caught at its beginning when a container is paused, on real Docker engines."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from queue import Queue
from urllib.parse import quote

import pytest

from hostctl.docker.engine import Engine
from hostctl.handover import safe_pause
from tests.docker.handover_host import ON_BOTH_DOCKERS, Host

pytestmark = [pytest.mark.lab, ON_BOTH_DOCKERS]

COMMAND = [os.path.realpath(sys.executable), "-I", "-S", "-c", "pass"]
REFUSED = 126
INSPECT_SECONDS = 2.0
"""To inspect a paused container takes milliseconds, and ten seconds or for ever where a command was caught."""


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
            except safe_pause.DockerError:
                # One that comes as the container is paused is refused.
                enough.wait(0.05)

    thread = threading.Thread(target=begin)
    thread.start()
    try:
        yield ended
    finally:
        enough.set()
        thread.join(60)
        assert not thread.is_alive()


def inspected(host: Host, name: str) -> None:
    """Paused, it can be inspected."""
    began = time.monotonic()
    assert host.inspect(name)["State"]["Paused"] is True
    assert time.monotonic() - began < INSPECT_SECONDS


def inspected_and_unpaused(host: Host, name: str) -> None:
    inspected(host, name)
    host.engine.post(f"/containers/{host.ids[name]}/unpause")


def probe_begins(host: Host, name: str) -> None:
    """Returns as soon as Docker says so, long before the probe has its process."""
    filters = quote(json.dumps({"container": [host.ids[name]], "event": ["exec_start"]}))
    with host.engine.download(f"/events?filters={filters}", 30) as events:
        assert events.readline()


def test_at_a_quiet_moment_a_plain_pause_catches_no_probe_although_one_has_just_begun(host: Host) -> None:
    host.create("probed", host.own, {}, health=["CMD", *COMMAND], probed_every=2)
    try:
        for _ in range(8):
            probe_begins(host, "probed")
            safe_pause.await_quiet(host.engine, host.ids["probed"])
            host.engine.post(f"/containers/{host.ids['probed']}/pause")
            inspected_and_unpaused(host, "probed")
    finally:
        host.remove_container("probed")


def test_while_commands_begin_all_the_time_none_is_caught_and_docker_goes_on_answering(host: Host) -> None:
    process = host.inspect("forge")["State"]["Pid"]
    with commands_beginning(host, "forge") as ended:
        for _ in range(6):
            safe_pause.pause(host.engine, host.ids["forge"], process)
            inspected_and_unpaused(host, "forge")
            while not ended.empty():
                assert ended.get() in (0, REFUSED)
            # The second began after the unpause: right after one `docker inspect` may deny the next pause briefly.
            for _ in range(2):
                assert ended.get(timeout=10) in (0, REFUSED)


def test_cutover_and_rollback_while_commands_begin_in_the_predecessor_all_the_time(host: Host) -> None:
    with commands_beginning(host, "forge") as ended:
        assert ended.get(timeout=10) == 0
        assert host.handover("cutover")["active"] == "sentinel"
        inspected(host, "forge")
        assert host.handover("rollback")["active"] == "contextforge"
    assert host.who_answers() == "forge"
