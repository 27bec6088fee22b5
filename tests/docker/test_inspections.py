"""The inspections of baseline, gates and verification on a real Docker engine: they name the port's holder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.docker.handover_host import Host

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]


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
