"""`networks join` and `networks leave` on a real Docker engine: a repeated run changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.docker.handover_host import Host

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120, func_only=True)]


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
