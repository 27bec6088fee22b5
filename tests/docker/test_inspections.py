"""The inspections of baseline, gates and verification on a real Docker engine: they name the port's holder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.docker.handover_host import Host

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120, func_only=True)]


def test_a_baseline_says_whether_the_predecessor_has_the_port(host: Host, tmp_path: Path) -> None:
    request = {"folder": str(tmp_path), "gateway": f"{host.mark}-forge", "port": 19200}
    assert host.ok("baseline", "read", **request) == {"baseline": None, "predecessor_serves": True}
    assert host.ok("baseline", "read", **{**request, "gateway": "gone"})["predecessor_serves"] is False


def test_an_inspection_names_the_holder_and_the_standby_container(host: Host) -> None:
    request: dict[str, Any] = {"port": 19200, "gateway": f"{host.mark}-forge"}
    gates = {"health_port": 19201, "seconds": 5}
    standby_one = {**request, **gates, "container": host.ids["sentinel"], "internal": host.internal}
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


def test_an_inspection_knows_the_container_from_which_the_last_rollback_took_the_port(host: Host) -> None:
    request = {"port": 19200, "gateway": f"{host.mark}-forge", "health_port": 19201, "seconds": 5}
    request |= {"internal": host.internal, "handover_folder": str(host.folder)}

    def rolled_back(name: str) -> bool:
        return host.ok("gates", "inspect", **request, container=host.ids[name])["rolled_back"]

    assert not rolled_back("sentinel")
    host.handover("cutover")
    assert not rolled_back("sentinel")
    host.handover("rollback")
    host.create_sentinel("newer")
    assert rolled_back("sentinel") and not rolled_back("newer")


def test_a_database_without_a_container_is_named(host: Host) -> None:
    database = {"container": "gone", "role": "sentinel", "name": "sentinel"}
    standby = {"container": "standby", "internal": "sentinel", "port": 9200, "health_port": 9201, "seconds": 5}
    request = {**standby, "database": database}
    done = host.call("gates", "migrations", request)
    assert "the container gone does not run or is paused" in done.stderr and "'docker start gone'" in done.stderr


@pytest.mark.parametrize(
    ("content", "refused"),
    [
        ("a-secret", ""),
        ("", "the secret file JWT_SECRET_KEY is empty"),
        (" \n", "the secret file JWT_SECRET_KEY is empty"),
        (None, "the secret file JWT_SECRET_KEY cannot be read (No such file or directory)"),
    ],
)
def test_a_secret_file_that_is_empty_or_gone_is_refused_by_its_name(
    host: Host, tmp_path: Path, content: str | None, refused: str
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_text(content)
    description = {"Image": host.image, "HostConfig": {"Binds": [f"{file}:/run/secrets/JWT_SECRET_KEY:ro"]}}
    container = host.engine.post("/containers/create", description)["Id"]
    try:
        done = host.call("gates", "secrets", {"container": container})
        assert refused in done.stderr and bool(done.returncode) is bool(refused)
        assert refused or '"files": ["JWT_SECRET_KEY"]' in done.stdout
    finally:
        host.engine.delete(f"/containers/{container}?force=true")


@pytest.mark.parametrize(
    ("verb", "place"),
    [
        ("secrets", {"container": "gone"}),
        ("audit", {"database": {"container": "gone", "role": "sentinel", "name": "sentinel"}, "seconds": 5}),
    ],
)
def test_a_container_that_is_gone_is_named(host: Host, verb: str, place: dict[str, str]) -> None:
    done = host.call("gates", verb, place)
    assert done.returncode == 1 and "the container gone does not" in done.stderr
