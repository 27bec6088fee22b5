"""`sentinel start`, `networks` and `predecessor` on a real Docker engine: a repeated run changes nothing."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.docker.handover_host import Host

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]


def start(host: Host, name: str, **values: Any) -> Any:
    return host.call("sentinel", "start", {"container": host.ids[name], "limit_seconds": 5, **values})


def test_a_stopped_container_is_started_and_a_running_one_left_alone(host: Host) -> None:
    host.ok("sentinel", "stop", container=host.ids["sentinel"], limit_seconds=2)
    assert not host.inspect("sentinel")["State"]["Running"]
    assert host.ok("sentinel", "start", container=host.ids["sentinel"], limit_seconds=5)["state"] == "standby"
    started = host.inspect("sentinel")["State"]["StartedAt"]
    host.ok("sentinel", "start", container=host.ids["sentinel"], limit_seconds=5)
    assert host.inspect("sentinel")["State"]["StartedAt"] == started


def test_the_wait_is_for_the_health_check(host: Host) -> None:
    host.create_sentinel("healthy", health=["CMD-SHELL", "false"])
    done = start(host, "healthy", limit_seconds=30)
    assert done.returncode == 1 and f"{host.mark}-healthy is unhealthy" in done.stderr
    host.remove_container("healthy")


def test_a_container_that_ends_is_reported_with_its_exit_code_and_its_logs_last_lines(host: Host) -> None:
    # Without a health check it would be standby as soon as it runs, which it does for a moment.
    undecided = ["CMD", os.path.realpath(sys.executable), "-S", "-c", "import time; time.sleep(60)"]
    host.create_sentinel("bad", command="no-port", restart="no", health=undecided, start=False)
    done = start(host, "bad")
    assert done.returncode == 1
    assert f"{host.mark}-bad ended with exit code 1: read its log's last lines below" in done.stderr
    assert "ValueError: invalid literal for int()" in done.stderr
    host.remove_container("bad")


def test_stopping_a_container_that_is_gone_is_no_error(host: Host) -> None:
    assert host.ok("sentinel", "stop", container="gone", limit_seconds=1)["state"] == "absent"


def test_members_join_under_their_aliases_once_and_leave_once(host: Host) -> None:
    members = [{"container": f"{host.mark}-database", "aliases": ["sqlite"]}]
    request: dict[str, Any] = {"network": host.internal, "members": members}
    assert host.ok("networks", "join", **request)["joined"] == [f"{host.mark}-database"]
    assert "sqlite" in host.inspect("database")["NetworkSettings"]["Networks"][host.internal]["Aliases"]
    assert host.ok("networks", "join", **request)["already"] == [f"{host.mark}-database"]
    members[0]["aliases"] = ["sqlite", "other"]
    assert host.ok("networks", "join", **request)["joined"] == [f"{host.mark}-database"]
    assert host.ok("networks", "leave", **request)["left"] == [f"{host.mark}-database"]
    assert host.ok("networks", "leave", **request)["already"] == [f"{host.mark}-database"]


def test_a_missing_network_or_member_is_named(host: Host) -> None:
    done = host.call("networks", "join", {"network": "nowhere", "members": []})
    assert done.stderr.startswith("hostctl networks join: the network nowhere does not exist: create it, then run")
    done = host.call("networks", "join", {"network": host.internal, "members": [{"container": "gone", "aliases": []}]})
    assert "the container gone does not exist, so it cannot join" in done.stderr


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


def test_a_baseline_says_whether_the_predecessor_has_the_port(host: Host, tmp_path: Path) -> None:
    request = {"folder": str(tmp_path), "gateway": f"{host.mark}-forge", "port": 19200}
    assert host.ok("baseline", "read", **request) == {"baseline": None, "predecessor_serves": True}
    assert host.ok("baseline", "read", **{**request, "gateway": "gone"})["predecessor_serves"] is False


def test_an_inspection_names_the_holder_and_the_standby_container(host: Host) -> None:
    request: dict[str, Any] = {"port": 19200, "gateway": f"{host.mark}-forge"}
    standby_one = {**request, "container": host.ids["sentinel"], "internal": host.internal}
    seen = host.ok("gates", "inspect", **standby_one)
    assert (seen["name"], seen["running"], seen["serves"]) == (f"{host.mark}-sentinel", True, False)
    assert (seen["active"], seen["holder"]) == ("contextforge", f"{host.mark}-forge")
    assert seen["address"] and seen["inside_port"] == 9200
    gone = host.ok("gates", "inspect", **{**standby_one, "container": "gone"})
    assert (gone["running"], gone["log"], gone["active"]) == (False, "(the container is gone)", "contextforge")
    request |= {"health_port": 19201, "folder": "/nowhere", "baseline_folder": "/nowhere"}
    found = host.ok("verification", "inspect", **request)
    assert found["bindings"]["ok"] is True and found["bindings"]["tried"] > 0
    assert (found["active"], found["as_declared"]["containers"], found["baseline"]) == ("contextforge", [], None)


def test_a_database_without_a_container_is_named(host: Host) -> None:
    request = {"postgres": "gone", "user": "sentinel", "database": "sentinel", "seconds": 5}
    done = host.call("gates", "migrations", request)
    assert "the database's container gone does not run: start it ('docker start gone')" in done.stderr
