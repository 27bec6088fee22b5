"""Containers that were stopped or removed by hand are found without a refresh."""

from __future__ import annotations

import pytest

from tests.docker.handover_host import Host

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120, func_only=True)]


def test_stopped_and_removed_containers_are_found_beside_what_need_not_run(host: Host) -> None:
    for name in ("runs", "stopped", "created"):
        host.create(name, host.also, {"sentinel-cutover": "true"})
    for name in ("runs", "stopped"):
        host.engine.post(f"/containers/{host.ids[name]}/start")
    host.engine.post(f"/containers/{host.ids['stopped']}/stop?t=0")
    gone = "0" * 64
    running = [host.ids["runs"], host.ids["stopped"]]
    answer = host.ok("docker", "presence", running=running, existing=[host.ids["created"], gone])
    assert answer == {"stopped": [host.ids["stopped"]], "gone": [gone], "missing": [], "edited": []}
