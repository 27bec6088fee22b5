"""The proof that a rollback is possible, and each fault of the predecessor's in it, on a real Docker engine."""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from tests.docker.handover_host import PORT, Host

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(180, func_only=True),
    pytest.mark.usefixtures("starts_with_contextforge"),
]


@pytest.fixture
def cut_over(host: Host, starts_with_contextforge: None) -> None:
    """Sentinel serves, and has for a while."""
    assert starts_with_contextforge is None
    host.handover("cutover")
    host.age_the_journal()


def make_again(host: Host, *names: str, start: bool) -> None:
    """As compose makes the project's containers."""
    labels = {"com.docker.compose.project": host.mark}
    for name in names:
        if name == "database":
            host.create(name, host.own, {**labels, "com.docker.compose.service": "postgres"}, start=start)
        else:
            service = {**labels, "com.docker.compose.service": "gateway"}
            host.create(name, host.own, service, inside=4444, aliases=["gateway"], start=start)


def refused_like(host: Host, sentence: str) -> None:
    """Proof and rollback name the same fault, and Sentinel goes on serving."""
    result, reason = host.proof()
    assert result == "not-possible" and sentence in reason
    done = host.call("handover", "rollback", host.document())
    assert done.returncode == 1 and sentence in done.stderr
    assert host.who_answers() == "sentinel"


def test_a_predecessor_that_serves_or_is_stopped_is_no_failure(host: Host) -> None:
    host.handover("cutover", keep="stopped")
    result, reason = host.proof()
    assert result == "could-not-check"
    assert reason == f"{host.mark}-forge is stopped: a rollback starts it in standby first, while Sentinel serves"
    host.handover("rollback")
    assert host.proof() == ("could-not-check", f"{host.mark}-forge serves")


@pytest.mark.usefixtures("cut_over")
def test_one_in_standby_that_passes_its_gates_is_the_proof_and_nothing_is_touched(host: Host) -> None:
    before = host.inspect("forge")
    assert host.proof() == ("possible", "")
    after = host.inspect("forge")
    assert (after["State"], after["NetworkSettings"]) == (before["State"], before["NetworkSettings"])
    assert host.who_answers() == "sentinel"


def test_one_that_became_unhealthy_is_named_and_right_after_a_cutover_it_gets_a_minute(host: Host) -> None:
    host.handover("cutover")
    host.be_ill("forge")
    result, reason = host.proof()
    assert result == "could-not-check" and "may need a minute to connect again (health: HTTP 503)" in reason
    host.age_the_journal()
    assert host.proof() == ("not-possible", f"{host.mark}-forge in standby fails its gates (health: HTTP 503)")
    limits = {"answer_seconds": 5, "predecessor_seconds": 2, "drain_seconds": 1}
    done = host.call("handover", "rollback", host.document(gates=host.gates(), limits=limits))
    assert done.returncode == 1
    assert "HTTP 503" in done.stderr and f"{host.mark}-sentinel still serves on port {PORT}" in done.stderr
    assert host.who_answers() == "sentinel"
    host.be_ill("forge", ill=False)
    assert host.proof() == ("possible", "")


@pytest.mark.usefixtures("cut_over")
def test_its_database_that_is_gone_is_named_and_one_that_compose_made_again_is_joined(host: Host) -> None:
    host.remove_container("database")
    refused_like(host, f"the predecessor's container {host.mark}-database is gone")
    make_again(host, "database", start=False)
    assert host.proof() == ("possible", "")
    host.handover("rollback", gates=host.gates())
    assert host.who_answers() == "forge"
    assert host.inspect("database")["State"]["Running"]
    assert host.standby in host.inspect("database")["NetworkSettings"]["Networks"]


@contextmanager
def image_of_its_own(host: Host) -> Generator[str]:
    """ContextForge made again from an image that no other container has."""
    command = ["docker", "-H", f"unix://{host.docker_socket}"]
    tag, shared = f"{host.mark}:own", host.image
    subprocess.run([*command, "commit", host.ids["forge"], tag], check=True, capture_output=True)
    host.remove_container("forge")
    host.image = tag
    try:
        make_again(host, "forge", start=True)
        yield tag
    finally:
        host.image = shared
        host.remove_container("forge")
        make_again(host, "forge", start=False)
        subprocess.run([*command, "rmi", "-f", tag], capture_output=True)


def test_its_image_that_is_gone_is_named(host: Host) -> None:
    with image_of_its_own(host) as image:
        request = {"kind": "contextforge", "project": host.mark, "gateway": f"{host.mark}-forge", "port": PORT}
        former, host.record = host.record, host.ok("predecessor", "record", **request)
        host.handover("cutover", keep="stopped")
        host.engine.delete(f"/images/{image}?force=1")
        result, reason = host.proof()
        assert result == "not-possible" and f"the image of the predecessor's container {host.mark}-forge" in reason
        assert "is gone: load it again" in host.call("rollback", "check", {"predecessor": host.record}).stderr
        assert host.who_answers() == "sentinel"
        host.record = former


@pytest.mark.usefixtures("cut_over")
def test_what_compose_took_down_is_named_until_compose_has_made_it_again(host: Host) -> None:
    for name in ("forge", "database"):
        host.remove_container(name)
    host.engine.delete(f"/networks/{host.own}")
    result, reason = host.proof()
    assert result == "not-possible" and f"the predecessor's container {host.mark}-database is gone" in reason
    done = host.call("handover", "rollback", host.document())
    assert f"the predecessor's container {host.mark}-forge is gone, so the port stays where it is" in done.stderr
    host.engine.post("/networks/create", {"Name": host.own, "CheckDuplicate": True})
    make_again(host, "database", "forge", start=False)
    result, reason = host.proof()
    assert result == "could-not-check" and "is stopped" in reason
    host.handover("rollback")
    assert host.who_answers() == "forge"
