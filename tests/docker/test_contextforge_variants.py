"""ContextForge behind a proxy that publishes the port for several replicas, as upstream's compose file has it."""

from __future__ import annotations

import pytest

from tests.docker.handover_host import PORT, Host

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180, func_only=True)]

REPLICAS = "gateway-1", "gateway-2"


@pytest.fixture(scope="module")
def behind_proxy(host: Host) -> Host:
    """The module's own host, with the proxy in ContextForge's place; recorded as the check requires."""
    host.remove_container("forge")
    for name in REPLICAS:
        labels = {"com.docker.compose.project": host.mark, "com.docker.compose.service": "gateway"}
        host.create(name, host.own, labels, aliases=["gateway"], command="4444")
    labels = {
        "com.docker.compose.project": host.mark,
        "com.docker.compose.service": "nginx",
        "com.docker.compose.depends_on": "gateway:service_healthy:false",
    }
    host.create("nginx", host.own, labels, inside=80, UPSTREAM="gateway:4444")
    request = {"kind": "contextforge", "project": host.mark, "port": PORT}
    refused = host.call("predecessor", "check", {**request, "gateway": f"{host.mark}-gateway-1"})
    assert f"set predecessor.gateway to {host.mark}-nginx" in refused.stderr
    host.record = host.ok("predecessor", "record", **request, gateway=f"{host.mark}-nginx")
    return host


def test_the_record_starts_the_replicas_before_the_proxy(behind_proxy: Host) -> None:
    names = [container["name"] for container in behind_proxy.record["containers"]]
    assert names == [f"{behind_proxy.mark}-{name}" for name in ("database", "gateway-1", "gateway-2", "nginx")]


def test_only_the_proxy_moves_and_in_standby_it_reaches_every_replica(behind_proxy: Host) -> None:
    host = behind_proxy
    before = {name: host.shape(name) for name in REPLICAS}
    host.handover("cutover")
    assert host.who_answers() == "sentinel"
    assert [*host.inspect("nginx")["NetworkSettings"]["Networks"]] == [host.standby]
    for name in REPLICAS:
        assert host.shape(name) == before[name]
        assert "gateway" in host.inspect(name)["NetworkSettings"]["Networks"][host.standby]["Aliases"]
    host.age_the_journal()
    assert host.proof() == ("possible", "")
    host.handover("rollback", gates=host.gates())
    assert host.who_answers() in REPLICAS
    assert host.shape("nginx")["restart"]["Name"] == "unless-stopped"


def test_replicas_that_are_down_fail_the_gates_and_a_rollback_starts_them(behind_proxy: Host) -> None:
    host = behind_proxy
    host.handover("cutover")
    host.age_the_journal()
    for name in REPLICAS:
        host.engine.post(f"/containers/{host.ids[name]}/stop?t=1")
    result, reason = host.proof()
    assert result == "not-possible" and f"{host.mark}-nginx in standby fails its gates (health: " in reason
    assert reason.endswith(f"; {host.mark}-gateway-1 is stopped; {host.mark}-gateway-2 is stopped)")
    host.handover("rollback", gates=host.gates())
    assert host.who_answers() in REPLICAS
