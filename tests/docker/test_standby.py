"""The predecessor in standby: every fault is one sentence before the port moves, on a real Docker engine."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from hostctl.docker.engine import DockerError
from tests.docker.handover_host import PORT, Host

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(180, func_only=True),
    pytest.mark.usefixtures("starts_with_contextforge"),
]

REFUSED = ("cutover", "forge"), ("rollback", "sentinel")


def refused(host: Host, action: str, **values: Any) -> str:
    """The sentence; whoever served before has served all the time."""
    serving = host.who_answers()
    with host.watched() as watch:
        watch.wait_for(serving)
        done = host.call("handover", action, host.document(**values))
    assert done.returncode == 1, done.stdout
    assert len(done.stderr.splitlines()) == 1
    assert {answer.who for answer in watch.answers()} == {serving}
    return done.stderr


@contextmanager
def recorded_anew(host: Host) -> Generator[None]:
    """The record of the predecessor as it is now; the former one comes back."""
    former = host.record
    request = {"kind": "contextforge", "project": host.mark, "gateway": f"{host.mark}-forge", "port": PORT}
    host.record = host.ok("predecessor", "record", **request)
    try:
        yield
    finally:
        host.handover("rollback", force=True)
        host.record = former


@contextmanager
def sidecar(host: Host, name: str, project: str, aliases: list[str]) -> Generator[None]:
    labels = {"com.docker.compose.project": project, "com.docker.compose.service": name}
    host.create(name, host.own, labels, aliases=aliases)
    try:
        yield
    finally:
        host.remove_container(name)


def test_a_network_that_was_removed_meanwhile_is_named(host: Host) -> None:
    name = f"{host.mark}-removed"
    host.engine.post("/networks/create", {"Name": name})
    host.engine.post(f"/networks/{name}/connect", {"Container": host.ids["forge"]})
    with recorded_anew(host):
        host.handover("cutover")
        host.engine.delete(f"/networks/{name}")
        assert f"the predecessor's network {name} is gone" in refused(host, "rollback")
        host.engine.post("/networks/create", {"Name": name})
    host.engine.post(f"/networks/{name}/disconnect", {"Container": host.ids["forge"]})
    host.engine.delete(f"/networks/{name}")


def test_a_container_that_compose_made_again_while_sentinel_serves_takes_the_port_back(host: Host) -> None:
    host.handover("cutover")
    host.remove_container("forge")
    labels = {"com.docker.compose.project": host.mark, "com.docker.compose.service": "gateway"}
    host.create("forge", host.own, labels, inside=4444, aliases=["gateway"], start=False)
    with pytest.raises(DockerError, match="port is already allocated"):
        host.engine.post(f"/containers/{host.ids['forge']}/start")
    assert host.who_answers() == "sentinel"
    host.handover("rollback")
    assert host.who_answers() == "forge"
    assert set(host.inspect("forge")["NetworkSettings"]["Networks"]) == {host.own, host.standby}


def test_a_sidecar_that_was_removed_is_named_and_force_goes_on_without_it(host: Host) -> None:
    with sidecar(host, "cache", host.mark, ["redis"]), recorded_anew(host):
        host.handover("cutover")
        host.remove_container("cache")
        assert f"the predecessor's container {host.mark}-cache is gone" in refused(host, "rollback")
        host.handover("rollback", force=True)
        assert host.who_answers() == "forge"


def test_two_containers_of_one_name_are_named_unless_one_is_the_predecessors_own(host: Host) -> None:
    with sidecar(host, "one", "other", ["vectors"]), sidecar(host, "two", "another", ["vectors", "postgres"]):
        sentence = refused(host, "cutover")
        assert f"{host.mark}-one and {host.mark}-two are both called vectors on the networks of" in sentence
        host.remove_container("one")
        host.handover("cutover")
        joined = host.inspect("two")["NetworkSettings"]["Networks"][host.standby]["Aliases"]
        assert "vectors" in joined and "postgres" not in joined


def test_a_network_of_that_name_that_is_not_ours_is_named(host: Host) -> None:
    name = f"{host.mark}-theirs"
    host.engine.post("/networks/create", {"Name": name, "Internal": True})
    try:
        assert f"the network {name} is not the one that the handover makes" in refused(host, "cutover", standby=name)
    finally:
        host.engine.delete(f"/networks/{name}")


def test_exhausted_address_pools_are_named(host: Host) -> None:
    made: list[str] = []
    try:
        with pytest.raises(DockerError):
            for number in range(64):
                name = f"{host.mark}-pool-{number}"
                host.engine.post("/networks/create", {"Name": name})
                made.append(name)
        sentence = refused(host, "cutover", standby=f"{host.mark}-one-more")
        assert f"Docker has no free address range for the network {host.mark}-one-more" in sentence
    finally:
        for name in made:
            host.engine.delete(f"/networks/{name}")


@pytest.mark.parametrize(("action", "serving"), REFUSED)
def test_a_predecessor_that_somebody_paused_is_named(host: Host, action: str, serving: str) -> None:
    if serving == "sentinel":
        host.handover("cutover")
    host.engine.post(f"/containers/{host.ids['forge']}/pause")
    try:
        done = host.call("handover", action, host.document())
        assert f"{host.mark}-forge is paused, and not by us: 'docker unpause {host.mark}-forge'" in done.stderr
    finally:
        host.engine.post(f"/containers/{host.ids['forge']}/unpause")


def test_a_predecessor_that_cannot_start_leaves_sentinel_serving(host: Host) -> None:
    host.handover("cutover")
    host.remove_container("forge")
    labels = {"com.docker.compose.project": host.mark, "com.docker.compose.service": "gateway"}
    host.create("forge", host.own, labels, inside=4444, aliases=["gateway"], start=False, command="no-port")
    sentence = refused(host, "rollback")
    assert f"{host.mark}-forge ended with exit code 1" in sentence
    assert f"{host.mark}-sentinel still serves on port {PORT}" in sentence
    host.remove_container("forge")
    host.create("forge", host.own, labels, inside=4444, aliases=["gateway"], start=False)


def test_a_failing_gate_stops_the_rollback_and_force_goes_on(host: Host) -> None:
    host.handover("cutover")
    host.age_the_journal()
    gates = {"baseline_folder": str(host.scratch), "claude_folder": str(host.scratch), "seconds": 2}
    sentence = refused(host, "rollback", gates=gates)
    assert "ContextForge in standby fails its gates (tools: " in sentence and "FORCE=1" in sentence
    host.handover("rollback", gates=gates, force=True)
    assert host.who_answers() == "forge"
