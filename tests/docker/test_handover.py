"""The handover on real Docker engines: exactly one gateway answers, whatever fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.docker.handover_host import NEWER, PORT, THIS_MACHINES, TOKEN, Host
from tests.soak import only_soak
from tests.starvation import Starvation

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(120, func_only=True),
    pytest.mark.usefixtures("starts_with_contextforge"),
    pytest.mark.parametrize(
        "box",
        [
            THIS_MACHINES,
            pytest.param(NEWER, marks=only_soak("two minutes; CI has a newer Docker for endpoints, limits and kills")),
        ],
        indirect=True,
    ),
]


PATIENT = f"""
import socket, time
while True:
    try:
        socket.create_connection(("127.0.0.1", {PORT}), 10).close()
        print("connected", flush=True)
    except OSError as error:
        print(error.strerror or error, flush=True)
    time.sleep(0.02)
"""


def answers_at(host: Host, name: str) -> bool:
    """The predecessor's container reaches the other one's server by this name."""
    program = f"import http.client as h; c = h.HTTPConnection('{name}', 80, 2); c.request('GET', '/health')"
    command = [os.path.realpath(sys.executable), "-I", "-S", "-c", f"{program}; assert c.getresponse().status == 200"]
    return host.engine.inside(host.ids["forge"], command, 20)[0] == 0


@dataclass(frozen=True)
class Silence:
    """Milliseconds without a good answer."""

    own: float
    """As the verb says."""
    seen: float
    """As an independent client saw it."""
    starved: float
    """For which processes waited for the machine during the handover."""

    def below(self, limit: float) -> bool:
        return self.seen < limit + self.starved

    @property
    def apart(self) -> float:
        return abs(self.own - self.seen) - self.starved


def moved(host: Host, action: str, before: str, after: str) -> Silence:
    with host.watched() as watch:
        watch.wait_for(before)
        starvation = Starvation()
        own = host.handover(action)
        watch.wait_for(after)
        silence = Silence(own["downtime_ms"], watch.gap_ms(before, after), starvation.seconds * 1000)
    assert own["downtime_ms"] == pytest.approx(sum(own["parts"].values()), abs=2)
    print(f"{action}: {own['parts']}, {silence}")
    return silence


def test_cutover_and_rollback_stay_below_their_limits_as_a_client_sees_it(host: Host) -> None:
    """Two of three, since other work on the machine lengthens single ones."""
    cutovers: list[Silence] = []
    rollbacks: list[Silence] = []
    for _ in range(3):
        cutovers.append(moved(host, "cutover", "forge", "sentinel"))
        rollbacks.append(moved(host, "rollback", "sentinel", "forge"))
    assert sum(silence.below(300) for silence in cutovers) >= 2
    assert sum(silence.below(500) for silence in rollbacks) >= 2
    assert median(silence.apart for silence in cutovers + rollbacks) < 60


def test_no_connection_is_refused_while_the_port_moves(host: Host) -> None:
    """To whoever has ten seconds to connect, in handovers from a gateway with a place in standby."""
    host.handover("cutover")
    host.handover("rollback")
    command = [*host.in_host_namespace, sys.executable, "-c", PATIENT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout and client.stdout.readline() == "connected\n"
        host.handover("cutover")
        host.handover("rollback")
        client.kill()
        assert {line for line in client.stdout.read().splitlines() if line} == {"connected"}


def test_a_round_trip_leaves_containers_as_they_were(host: Host) -> None:
    before = {name: host.shape(name) for name in host.ids}
    host.handover("cutover")
    assert host.shape("forge")["restart"]["Name"] == "no"
    assert set(host.shape("sentinel")["networks"]) == {host.edge, host.internal, host.also}
    status = host.handover("status")
    assert status["predecessor"] == "standby"
    # The newer Docker's box counts no memory (lab/real/newer_docker.py).
    assert status["predecessor_memory_mb"] > 1 or not host.engine.get("/info")["MemoryLimit"]
    assert set(host.inspect("forge")["NetworkSettings"]["Networks"]) == {host.standby}
    assert not host.inspect("forge")["State"]["Paused"]
    host.handover("rollback")
    assert {name: host.shape(name) for name in host.ids} == before


def test_in_standby_the_predecessor_reaches_what_it_talks_to_under_the_names_that_it_knows(host: Host) -> None:
    host.handover("cutover")
    for name in ("postgres", f"{host.mark}-database"):
        assert answers_at(host, name), name


def test_the_predecessors_connections_survive_round_trips_whenever_they_were_opened(host: Host) -> None:
    host.handover("cutover")
    addresses: set[str] = set()
    with host.held_connection("forge", "database") as opened_in_standby:
        host.handover("rollback")
        with host.held_connection("forge", "database") as opened_while_serving:
            for action in ("cutover", "rollback", "cutover"):
                host.handover(action)
                addresses.add(host.inspect("forge")["NetworkSettings"]["Networks"][host.standby]["IPAddress"])
                assert (opened_in_standby(), opened_while_serving()) == ("200", "200")
    assert len(addresses) == 1


def test_the_first_cutover_restarts_the_predecessor_and_no_later_one_does(host: Host) -> None:
    host.engine.post(f"/networks/{host.standby}/disconnect", {"Container": host.ids["forge"], "Force": True})
    started = [host.inspect("forge")["State"]["StartedAt"]]
    for action in ("cutover", "rollback", "cutover"):
        host.handover(action)
        started.append(host.inspect("forge")["State"]["StartedAt"])
    assert started[0] < started[1] == started[2] == started[3]


def test_a_withdrawn_sentinel_keeps_its_connections_or_is_restarted_in_standby(host: Host) -> None:
    """Each that died with its network would cost the audit row of a later call."""
    host.create("audit", host.internal, {})
    host.handover("cutover")
    started = host.inspect("sentinel")["State"]["StartedAt"]
    with host.held_connection("sentinel", "audit") as answer:
        host.handover("rollback")
        assert host.inspect("sentinel")["State"]["StartedAt"] != started or answer() == "200"
    assert host.handover("status")["sentinel"] == "standby"


def test_a_stopped_sentinel_is_started_while_the_predecessor_serves(host: Host) -> None:
    host.engine.post(f"/containers/{host.ids['sentinel']}/stop?t=0")
    assert moved(host, "cutover", "forge", "sentinel").below(500)


def test_a_sentinel_that_cannot_start_leaves_the_predecessor_serving(host: Host) -> None:
    host.create_sentinel("broken", start=False, command="no-port")
    with host.watched() as watch:
        watch.wait_for("forge")
        done = host.call("handover", "cutover", host.document("broken"))
    assert f"{host.mark}-broken ended with exit code 1 before it answered" in done.stderr
    assert f"{host.mark}-forge still serves on port {PORT}" in done.stderr
    assert {answer.who for answer in watch.answers()} == {"forge"}


def test_kept_stopped_the_predecessor_ends_by_its_own_shutdown_and_the_rollback_starts_it_beforehand(
    host: Host,
) -> None:
    assert host.handover("cutover", keep="stopped")["active"] == "sentinel"
    assert host.inspect("forge")["State"]["ExitCode"] == 0
    assert host.handover("status")["predecessor"] == "stopped"
    assert moved(host, "rollback", "sentinel", "forge").below(500)


def test_stop_predecessor_ends_one_in_standby_by_its_own_shutdown_while_sentinel_serves(host: Host) -> None:
    host.handover("cutover")
    with host.watched() as watch:
        watch.wait_for("sentinel")
        assert host.handover("stop-predecessor")["predecessor"] == "stopped"
    assert {answer.who for answer in watch.answers()} == {"sentinel"}
    assert host.inspect("forge")["State"]["ExitCode"] == 0
    again = host.handover("stop-predecessor")
    assert not again["changed"] and "stopped already" in again["reason"]
    host.handover("rollback")
    assert host.who_answers() == "forge"


def test_a_predecessor_that_was_killed_in_standby_comes_back_by_a_start(host: Host) -> None:
    host.handover("cutover")
    host.engine.post(f"/containers/{host.ids['forge']}/kill")
    host.handover("rollback")
    assert host.who_answers() == "forge"


def test_a_second_cutover_does_nothing_and_says_why(host: Host) -> None:
    first = host.handover("cutover")
    second = host.handover("cutover")
    assert second["reason"] == f"{host.mark}-sentinel already holds port {PORT}"
    assert {**second, "changed": True, "reason": ""} == first


def test_a_rollback_of_a_container_that_is_not_the_holder_does_nothing_and_says_why(host: Host) -> None:
    host.create_sentinel("newer")
    host.handover("cutover")
    rollback = host.handover("rollback", "newer")
    assert rollback["reason"] == f"this container is not the holder: {host.mark}-sentinel holds port {PORT}"
    assert host.who_answers() == "sentinel"


def test_a_newer_sentinel_takes_over_from_the_older_and_back(host: Host) -> None:
    host.handover("cutover")
    host.create_sentinel("newer")
    with host.watched() as watch:
        watch.wait_for("sentinel")
        starvation = Starvation()
        host.handover("cutover", "newer")
        watch.wait_for("newer")
    assert watch.gap_ms("sentinel", "newer") < 500 + starvation.seconds * 1000
    assert {answer.who for answer in watch.answers()} == {"sentinel", "newer"}
    assert host.shape("sentinel")["networks"] == {host.internal: ["sentinel-gateway"]}
    host.handover("cutover")
    assert host.who_answers() == "sentinel"


@pytest.mark.parametrize("fault", ["die", "mute"])
def test_a_sentinel_that_fails_once_published_leaves_contextforge_serving(host: Host, fault: str) -> None:
    before = host.shape("forge")
    host.create_sentinel("broken", ON_SECOND_NETWORK=fault)
    document = host.document("broken", limits={"answer_seconds": 1, "predecessor_seconds": 10, "drain_seconds": 5})
    done = host.call("handover", "cutover", document)
    assert done.returncode == 1
    assert f"{host.mark}-forge serves again on port {PORT}" in done.stderr
    assert TOKEN not in done.stderr
    assert host.shape("forge") == before
    assert host.who_answers() == "forge"


def test_an_older_sentinel_serves_again_when_the_newer_fails(host: Host) -> None:
    host.handover("cutover")
    host.create_sentinel("broken", ON_SECOND_NETWORK="mute")
    document = host.document("broken", limits={"answer_seconds": 1, "predecessor_seconds": 10, "drain_seconds": 5})
    done = host.call("handover", "cutover", document)
    assert done.returncode == 1 and f"{host.mark}-sentinel serves again" in done.stderr
    assert host.who_answers() == "sentinel"


def test_a_wrong_token_is_refused_before_anything_is_touched(host: Host) -> None:
    wrong = host.scratch / "wrong-token"
    wrong.write_text("another-token")
    with host.watched() as watch:
        watch.wait_for("forge")
        done = host.call("handover", "cutover", host.document(probe={"path": "/mcp", "token_file": str(wrong)}))
    assert done.returncode == 1 and "the token is refused" in done.stderr and "another-token" not in done.stderr
    assert {answer.who for answer in watch.answers()} == {"forge"}


def test_sentinel_serves_again_when_contextforge_does_not_come_up(host: Host) -> None:
    host.handover("cutover")
    document = host.document(
        predecessor_probe={"path": "/nowhere"},
        limits={"answer_seconds": 5, "predecessor_seconds": 1, "drain_seconds": 5},
    )
    with host.watched() as watch:
        watch.wait_for("sentinel")
        done = host.call("handover", "rollback", document)
    assert done.returncode == 1
    assert f"{host.mark}-sentinel still serves" in done.stderr and "HTTP 404" in done.stderr
    assert {answer.who for answer in watch.answers()} == {"sentinel"}
    assert host.handover("status")["predecessor"] == "standby"


def test_an_unknown_owner_of_the_port_is_named_before_anything_is_touched(host: Host) -> None:
    host.engine.post(f"/containers/{host.ids['forge']}/stop")
    host.create("unknown", host.also, {}, inside=9200)
    assert host.handover("status")["active"] == "unknown owner"
    done = host.call("handover", "cutover", host.document())
    assert done.returncode == 1 and f"docker stop {host.mark}-unknown" in done.stderr
    host.remove_container("unknown")
    host.engine.post(f"/containers/{host.ids['forge']}/start")


def test_without_a_predecessor_a_rollback_leaves_the_port_to_nobody(host: Host) -> None:
    host.engine.post(f"/containers/{host.ids['forge']}/stop")
    absent: dict[str, Any] = {
        "predecessor": {"kind": "absent", "gateway": None, "containers": [], "volumes": [], "port": PORT}
    }
    assert host.handover("cutover", **absent)["active"] == "sentinel"
    assert host.who_answers() == "sentinel"
    assert host.handover("rollback", **absent)["active"] == "nobody"
    assert host.handover("status", **absent)["active"] == "nobody"


def test_recording_while_out_of_service_describes_the_predecessor_as_it_was(host: Host) -> None:
    host.handover("cutover")
    request: dict[str, Any] = {
        "kind": "contextforge", "project": host.mark, "gateway": f"{host.mark}-forge", "port": PORT,
    }  # fmt: skip
    assert host.ok("predecessor", "record", folder=str(host.folder), **request) == host.record
    done = host.call("predecessor", "record", request)
    assert done.returncode == 1 and "handover rollback" in done.stderr


def test_the_journal_alone_gives_the_port_back(host: Host, tmp_path: Path) -> None:
    """`handover back` reads no document: the journal is beside the program."""
    host.handover("cutover")
    shutil.copy(host.archive, host.scratch / "hostctl.pyz")
    program = [*host.in_host_namespace, sys.executable, "-I", "-S", str(host.scratch / "hostctl.pyz")]
    done = subprocess.run([*program, "handover", "back"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["claude"] == "Claude's entry was never changed"
    assert host.who_answers() == "forge"
    again = subprocess.run([*program, "handover", "back"], capture_output=True, text=True, timeout=120)
    assert json.loads(again.stdout)["changed"] is False
    shutil.copy(host.archive, tmp_path / "hostctl.pyz")
    elsewhere = subprocess.run(
        [sys.executable, "-I", "-S", str(tmp_path / "hostctl.pyz"), "handover", "back"], capture_output=True, text=True
    )
    assert elsewhere.returncode == 1 and "has no cutover to take back" in elsewhere.stderr
