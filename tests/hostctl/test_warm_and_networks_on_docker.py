"""`warm` and `networks` on a real Docker engine: what is so stays so, and a failure shows the log's last lines."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.hostctl.handover_host import Host

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]


def warm(host: Host, action: str, name: str, **values: Any) -> Any:
    return host.call("warm", action, {"container": host.ids[name], "limit_seconds": 5, **values})


def test_a_stopped_container_is_started_and_a_running_one_left_alone(host: Host) -> None:
    host.ok("warm", "stop", container=host.ids["sentinel"], limit_seconds=2)
    assert not host.inspect("sentinel")["State"]["Running"]
    assert host.ok("warm", "start", container=host.ids["sentinel"], limit_seconds=5)["state"] == "warm"
    started = host.inspect("sentinel")["State"]["StartedAt"]
    host.ok("warm", "start", container=host.ids["sentinel"], limit_seconds=5)
    assert host.inspect("sentinel")["State"]["StartedAt"] == started


def test_the_wait_is_for_the_health_check(host: Host) -> None:
    host.create_sentinel("healthy", health=["CMD-SHELL", "false"])
    done = warm(host, "start", "healthy", limit_seconds=30)
    assert done.returncode == 1 and f"{host.mark}-healthy is unhealthy" in done.stderr
    host.remove_container("healthy")


def test_a_container_that_ends_is_told_with_its_exit_code_and_its_logs_last_lines(host: Host) -> None:
    host.create_sentinel("bad", command="no-port", restart="no", start=False)
    done = warm(host, "start", "bad")
    assert done.returncode == 1
    assert f"{host.mark}-bad ended with exit code 1: read its log's last lines below" in done.stderr
    assert "ValueError: invalid literal for int()" in done.stderr
    host.remove_container("bad")


def test_stopping_a_container_that_is_gone_is_no_error(host: Host) -> None:
    assert host.ok("warm", "stop", container="gone", limit_seconds=1)["state"] == "absent"


def test_members_join_under_their_aliases_once_and_leave_once(host: Host) -> None:
    members = [{"container": f"{host.mark}-database", "aliases": ["sqlite"]}]
    words: dict[str, Any] = {"network": host.internal, "members": members}
    assert host.ok("networks", "join", **words)["joined"] == [f"{host.mark}-database"]
    assert "sqlite" in host.inspect("database")["NetworkSettings"]["Networks"][host.internal]["Aliases"]
    assert host.ok("networks", "join", **words)["already"] == [f"{host.mark}-database"]
    members[0]["aliases"] = ["sqlite", "other"]
    assert host.ok("networks", "join", **words)["joined"] == [f"{host.mark}-database"]
    assert host.ok("networks", "leave", **words)["left"] == [f"{host.mark}-database"]
    assert host.ok("networks", "leave", **words)["already"] == [f"{host.mark}-database"]


def test_a_missing_network_or_member_is_named(host: Host) -> None:
    done = host.call("networks", "join", {"network": "nowhere", "members": []})
    assert done.stderr.startswith("hostctl networks join: the network nowhere does not exist: create it, then run")
    done = host.call("networks", "join", {"network": host.internal, "members": [{"container": "gone", "aliases": []}]})
    assert "the container gone does not exist, so it cannot join" in done.stderr


def test_a_predecessor_that_is_not_there_is_told_with_the_ways_out(host: Host) -> None:
    words = {"kind": "contextforge", "project": "", "gateway": "no-such-gateway", "port": 19200}
    done = host.call("predecessor", "record", words)
    assert done.returncode == 1 and "no-such-gateway does not exist: start ContextForge" in done.stderr


def test_the_record_has_the_project_in_the_order_of_its_dependencies(host: Host) -> None:
    names = [container["name"] for container in host.record["containers"]]
    assert names == [f"{host.mark}-database", f"{host.mark}-forge"]
    gateway = host.record["gateway"]
    assert gateway["restart"] == {"Name": "unless-stopped", "MaximumRetryCount": 0}
    assert [(network["name"], network["internal"]) for network in gateway["networks"]] == [(host.own, False)]
    assert "gateway" in gateway["networks"][0]["aliases"]
    assert json.dumps(host.record)
