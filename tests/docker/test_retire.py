"""A retirement on a real Docker engine: the predecessor's standby network goes with it."""

from __future__ import annotations

import json

import pytest

from tests.docker.handover_host import PORT, Host

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(120, func_only=True),
    pytest.mark.usefixtures("starts_with_contextforge"),
]


def test_nobody_is_left_on_the_standby_network_and_it_goes(host: Host) -> None:
    host.create("sidecar", host.own, {"com.docker.compose.project": "other"})
    host.create("stopped", host.own, {"com.docker.compose.project": "other"})
    host.handover("cutover")
    host.engine.post(f"/containers/{host.ids['stopped']}/stop?t=0")
    retired = host.scratch / "retired"
    retired.mkdir()
    (retired / "retirement.json").write_text(json.dumps({"kept": {"dump": {}}}))
    request = {
        "folder": str(host.scratch), "home": str(host.scratch), "project": host.mark, "gateway": f"{host.mark}-forge",
        "port": PORT, "keeps": [f"{host.mark}-sidecar"], "networks": [host.internal, host.edge], "days": 0,
    }  # fmt: skip
    begun = host.ok("retire", "begin", **request)
    assert host.standby in [network["name"] for network in begun["inventory"]["networks"]]
    host.ok("retire", "remove", **request)
    assert host.standby not in [network["Name"] for network in host.engine.get("/networks")]
    for name in ("sidecar", "stopped"):
        assert set(host.inspect(name)["NetworkSettings"]["Networks"]) == {host.own}
    host.engine.post(f"/containers/{host.ids['stopped']}/start")
    assert host.who_answers() == "sentinel"
