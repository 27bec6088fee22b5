"""The real ContextForge in standby as its image runs it: gunicorn with a short worker limit, behind PgBouncer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.errors import UserError
from console.progress import Progress
from lab import box as vps
from lab import images
from lab.box import Box, Place
from lab.real import contextforge
from lab.real.contextforge import files, pooler
from lab.real.contextforge.services import GATEWAY, POSTGRES, PROJECT, SERVICES
from tests.docker.handover_host import Host, make_image
from tests.soak import only_soak

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(600, func_only=True),
    only_soak("three minutes; the stories' ContextForge runs as its image does too, with a longer worker limit"),
]

IMAGES = sorted({service.image for service in (*SERVICES, pooler.POOLER)})
TOOL = "sqlite-list-tables"
CALLS_SECONDS = 10.0
RECONNECTED_SECONDS = 90.0
FIRST_CALLS_SECONDS = 180.0
GOOD_CALLS = 8
"""In a row: both workers have had some."""


@dataclass
class Cut:
    """The host with the variant on it, and its gateway as it was before the cutover."""

    box: Box
    host: Host
    token: str

    def proof(self) -> tuple[str, str]:
        return self.host.proof(bearer=self.token, tool=TOOL)

    def workers(self) -> set[str]:
        """The processes that gunicorn's master made; it kills and replaces those that miss their limit."""
        path = f"/containers/{GATEWAY.container_name}"
        master = str(self.host.engine.get(f"{path}/json")["State"]["Pid"])
        processes = self.host.engine.get(f"{path}/top?ps_args=-o%20pid,ppid,args")["Processes"]
        return {pid for pid, parent, *_ in processes if parent == master}

    def sql(self, statement: str) -> list[str]:
        query = ["sh", "-c", f'psql -qtAX -h /run/postgresql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "{statement}"']
        code, output = self.host.engine.inside(POSTGRES.container_name, query, 20)
        assert code == 0, output
        return output.split()

    def failure(self) -> str:
        """The fault of one call through the port, empty when its answer is good."""
        try:
            answer = contextforge.call_tool(self.box, TOOL, {}, self.token)
        except UserError as error:
            return str(error)
        return "" if answer.status == 200 and not answer.body["result"]["isError"] else str(answer)

    def failures(self, seconds: float) -> list[str]:
        """The faults of one call after another for that long."""
        end, found = time.monotonic() + seconds, list[str]()
        while time.monotonic() < end:
            found.append(self.failure())
        return [fault for fault in found if fault]

    def wait_for_good_calls(self) -> None:
        """Each worker's first call takes seconds, and on a busy machine longer than its limit."""
        end, good = time.monotonic() + FIRST_CALLS_SECONDS, 0
        while good < GOOD_CALLS:
            assert time.monotonic() < end, "ContextForge gave no good answers in a row"
            good = 0 if self.failure() else good + 1


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory, progress: Progress, archive: Path) -> Iterator[Cut]:
    """A box of its own, and Sentinel's stand-in with the port of ContextForge."""
    if images.missing(IMAGES):
        images.build(progress, IMAGES)
    place = Place(tmp_path_factory.mktemp("vps"))
    try:
        box = vps.up(place, progress)
        tags = images.load(box.docker_host, IMAGES)
        box = box.with_images(tags)
        contextforge.up(box)
        pooler.up(box, tags)
        socket, namespace = box.docker_socket.removeprefix("unix://"), f"--net=/var/run/netns/{box.vps}"
        scratch = tmp_path_factory.mktemp("host")
        host = Host(socket, ["nsenter", namespace], make_image(socket), archive, scratch, port=files.PORT)
        host.make_networks()
        host.create_sentinel("sentinel")
        request = {"kind": "contextforge", "project": PROJECT, "gateway": GATEWAY.container_name, "port": files.PORT}
        host.record = host.ok("predecessor", "record", **request)
        found = Cut(box, host, contextforge.token_file(box).read_text().strip())
        found.wait_for_good_calls()
        yield found
    finally:
        vps.down(place, progress)


def test_every_connection_to_the_database_is_the_poolers(cut: Cut) -> None:
    pooled = cut.host.engine.get(f"/containers/{PROJECT}-{pooler.POOLER.name}-1/json")["NetworkSettings"]["Networks"]
    clients = cut.sql("SELECT DISTINCT host(client_addr) FROM pg_stat_activity WHERE client_addr IS NOT NULL")
    assert clients == [network["IPAddress"] for network in pooled.values()]


def test_it_outlives_a_standby_longer_than_the_worker_limit_and_every_call_after_it_is_good(cut: Cut) -> None:
    host = cut.host
    host.handover("cutover")
    assert host.who_answers() == "sentinel"
    # The first cutover restarts it in standby.
    workers, end = cut.workers(), time.monotonic() + RECONNECTED_SECONDS
    while len(workers) < 2 and time.monotonic() < end:
        time.sleep(1)
        workers = cut.workers()
    assert len(workers) == 2
    time.sleep(2.5 * pooler.WORKER_SECONDS)
    end = time.monotonic() + RECONNECTED_SECONDS
    while cut.proof()[0] == "could-not-check" and time.monotonic() < end:
        time.sleep(1)
    assert cut.proof() == ("possible", "")
    rolled_back = host.handover("rollback", gates=host.gates(cut.token, TOOL))
    assert cut.failures(CALLS_SECONDS) == []
    assert cut.workers() == workers
    assert rolled_back["downtime_ms"] < 1000
