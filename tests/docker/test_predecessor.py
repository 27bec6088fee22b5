"""The predecessor's record and check on a real Docker engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.docker.handover_host import PORT, Host

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120, func_only=True)]

UNBUFFERED = {**os.environ, "PYTHONUNBUFFERED": "1"}


def test_a_missing_predecessor_is_refused_with_each_way_to_fix_it(host: Host) -> None:
    request = {"kind": "contextforge", "project": "", "gateway": "no-such-gateway", "port": 19200}
    done = host.call("predecessor", "record", request)
    assert done.returncode == 1 and "no-such-gateway does not exist: start ContextForge" in done.stderr


def test_the_record_has_the_project_in_the_order_of_its_dependencies(host: Host) -> None:
    names = [container["name"] for container in host.record["containers"]]
    assert names == [f"{host.mark}-database", f"{host.mark}-forge"]
    gateway = host.record["gateway"]
    assert gateway["restart"] == {"Name": "unless-stopped", "MaximumRetryCount": 0}
    assert [(network["name"], network["internal"]) for network in gateway["networks"]] == [(host.own, False)]
    assert "gateway" in gateway["networks"][0]["aliases"]
    address = host.inspect("forge")["NetworkSettings"]["Networks"][host.own]["IPAddress"]
    assert gateway["networks"][0]["address"] == address != ""
    assert json.dumps(host.record)


def record(host: Host) -> dict[str, Any]:
    return {"kind": "contextforge", "project": host.mark, "gateway": f"{host.mark}-forge", "port": 19200}


def test_the_check_before_the_cutover_names_the_containers_of_a_rollback(host: Host) -> None:
    answer = host.ok("predecessor", "check", **record(host))
    assert answer["containers"] == [f"{host.mark}-database", f"{host.mark}-forge"]


def test_a_stopped_sibling_whose_network_is_gone_stops_the_run_though_another_has_its_name(host: Host) -> None:
    name = f"{host.mark}-sibling-net"
    labels = {"com.docker.compose.project": host.mark, "com.docker.compose.service": "sibling"}
    host.engine.post("/networks/create", {"Name": name, "CheckDuplicate": True})
    try:
        host.create("sibling", name, labels)
        host.engine.post(f"/containers/{host.ids['sibling']}/stop?t=1")
        assert f"{host.mark}-sibling" in host.ok("predecessor", "check", **record(host))["containers"]
        host.engine.delete(f"/networks/{name}")
        host.engine.post("/networks/create", {"Name": name, "CheckDuplicate": True})
        done = host.call("predecessor", "check", record(host))
        assert done.returncode == 1
        assert f"the network {name} of {host.mark}-sibling is gone, so it could not start on it again" in done.stderr
    finally:
        host.remove_container("sibling")
        host.engine.delete(f"/networks/{name}")


def test_where_nobody_ran_before_the_ports_holder_is_an_unknown_owner(host: Host) -> None:
    done = host.call("predecessor", "record", {"kind": "absent", "port": 19200})
    assert done.returncode == 1
    assert f"port 19200 is held by the container {host.mark}-forge, neither the predecessor nor Sentinel" in done.stderr
    answer = host.ok("predecessor", "check", kind="absent", port=19299)
    assert answer == {"kind": "absent", "port": 19299, "containers": []}


def test_a_proxy_that_publishes_instead_of_the_gateway_is_named(host: Host) -> None:
    labels = {"com.docker.compose.project": host.mark, "com.docker.compose.service": "behind"}
    host.create("behind", host.own, labels)
    try:
        done = host.call("predecessor", "record", record(host) | {"gateway": f"{host.mark}-behind"})
    finally:
        host.remove_container("behind")
    assert done.returncode == 1
    assert f"{host.mark}-forge of the same project does: set predecessor.gateway to {host.mark}-forge" in done.stderr


def test_a_gateway_on_the_hosts_own_network_is_refused_by_name(host: Host) -> None:
    host.create("at-large", "host", {"com.docker.compose.project": f"{host.mark}-other"}, start=False)
    try:
        request = {"kind": "contextforge", "gateway": f"{host.mark}-at-large", "port": PORT}
        done = host.call("predecessor", "record", request)
    finally:
        host.remove_container("at-large")
    assert done.returncode == 1
    assert f"{host.mark}-at-large runs with network_mode: host, where Docker cannot move its port" in done.stderr


def test_contextforge_without_docker_is_refused_with_what_is_possible(host: Host) -> None:
    listener = [*host.in_host_namespace, sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "19298"]
    with subprocess.Popen(
        listener, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=UNBUFFERED
    ) as own:
        try:
            assert own.stdout and own.stdout.readline()
            request = {"kind": "contextforge", "gateway": "no-such-gateway", "port": 19298}
            done = host.call("predecessor", "record", request)
        finally:
            own.terminate()
    assert done.returncode == 1
    assert "outside Docker, and there is no container no-such-gateway: only a container can hand" in done.stderr
