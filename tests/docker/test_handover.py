"""The handover on real Docker engines: exactly one gateway answers, whatever fails."""

from __future__ import annotations

from statistics import median
from typing import Any

import pytest

from tests.docker.handover_host import ON_BOTH_DOCKERS, PORT, TOKEN, Host

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(120),
    pytest.mark.usefixtures("starts_with_contextforge"),
    ON_BOTH_DOCKERS,
]


def moved(host: Host, action: str, before: str, after: str) -> tuple[float, float]:
    """Milliseconds without a good answer: as the verb says, and as an independent client saw it."""
    with host.watched() as watch:
        watch.wait_for(before)
        own = host.handover(action)
        watch.wait_for(after)
    assert own["downtime_ms"] == pytest.approx(sum(own["parts"].values()), abs=2)
    print(f"{action}: own {own['downtime_ms']} ms {own['parts']}, seen {watch.gap_ms(before, after):.0f} ms")
    return own["downtime_ms"], watch.gap_ms(before, after)


def test_cutover_by_pause_and_rollback_stay_below_their_limits_as_a_client_sees_it(host: Host) -> None:
    """The median of three, since other work on the machine lengthens single ones."""
    cutovers: list[tuple[float, float]] = []
    rollbacks: list[tuple[float, float]] = []
    for _ in range(3):
        cutovers.append(moved(host, "cutover", "forge", "sentinel"))
        rollbacks.append(moved(host, "rollback", "sentinel", "forge"))
    assert median(seen for _, seen in cutovers) < 300
    assert median(seen for _, seen in rollbacks) < 500
    assert median(abs(own - seen) for own, seen in cutovers + rollbacks) < 60


def test_a_round_trip_leaves_containers_as_they_were(host: Host) -> None:
    before = {name: host.shape(name) for name in host.ids}
    host.handover("cutover")
    assert host.shape("forge")["restart"]["Name"] == "no"
    assert set(host.shape("sentinel")["networks"]) == {host.edge, host.internal, host.also}
    assert host.handover("status")["predecessor"] == "paused"
    host.handover("rollback")
    assert {name: host.shape(name) for name in host.ids} == before


def test_stop_releases_by_the_predecessors_own_shutdown_and_the_rollback_starts_it(host: Host) -> None:
    assert host.handover("cutover", release="stop")["active"] == "sentinel"
    assert host.inspect("forge")["State"]["ExitCode"] == 0
    assert host.handover("status")["predecessor"] == "stopped"
    assert host.handover("rollback")["active"] == "contextforge"
    assert host.who_answers() == "forge"


def test_stop_predecessor_stops_a_paused_one_by_its_own_shutdown_while_sentinel_serves(host: Host) -> None:
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


def test_a_predecessor_that_docker_killed_while_paused_comes_back_by_a_start(host: Host) -> None:
    host.handover("cutover")
    host.engine.post(f"/containers/{host.ids['forge']}/unpause")
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
        host.handover("cutover", "newer")
        watch.wait_for("newer")
    assert watch.gap_ms("sentinel", "newer") < 500
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
    done = host.call("handover", "rollback", document)
    assert done.returncode == 1
    assert f"{host.mark}-sentinel serves again" in done.stderr and "HTTP 404" in done.stderr
    assert host.who_answers() == "sentinel"
    assert host.handover("status")["predecessor"] == "stopped"


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
