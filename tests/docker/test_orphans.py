"""A killed run's orphans are removed, and nothing else."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.docker.handover_host import Host

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120, func_only=True)]
OURS = {"sentinel-cutover": "true"}


def removed(host: Host, names: tuple[str, ...], began: int, **more: Any) -> dict[str, Any]:
    """The answer where everything but `names` is in the state."""
    known = [one["Id"] for one in host.engine.get("/containers/json?all=1")]
    known = [one for one in known if one not in [host.ids.get(name) for name in names]]
    pending = [f"{host.mark}-{name}" for name in names]
    document: dict[str, Any] = {"known": known, "pending": pending, "began": began, "port": host.port, **more}
    return host.ok("orphans", "remove", **document)


def test_only_what_is_ours_unknown_and_of_the_killed_run_is_removed(host: Host) -> None:
    began = int(time.time())
    for name, labels in (("known", OURS), ("left", OURS), ("theirs", {"sentinel-cutover": "false"})):
        host.create(name, host.also, labels)
    names = [f"{host.mark}-left", f"{host.mark}-theirs"]
    assert removed(host, ("left", "theirs"), began, pending=names[1:])["kept"] == names[:1], "not begun by the run"
    assert removed(host, ("left", "theirs"), began + 600)["kept"] == names[:1], "made before the run"
    assert removed(host, ("left", "theirs"), 0)["kept"] == names[:1], "no run is known"
    assert removed(host, ("left", "theirs"), began) == {"removed": names[:1], "kept": []}
    host.ids.pop("left")
    for name in ("known", "theirs"):
        host.remove_container(name)


def test_a_network_goes_only_where_no_container_uses_it_not_even_a_stopped_one(host: Host) -> None:
    began, network = int(time.time()), f"{host.mark}-empty"
    host.engine.post("/networks/create", {"Name": network, "CheckDuplicate": True})
    host.create("stopped", network, {}, start=False)
    assert removed(host, (), began, networks=[network], pending=[network]) == {"removed": [], "kept": [network]}
    host.remove_container("stopped")
    assert removed(host, (), 0, networks=[network], pending=[network])["kept"] == [network]
    assert removed(host, (), began, networks=[network], pending=[network])["removed"] == [network]


def test_a_database_that_the_state_lost_stays_while_the_gateway_beside_it_serves(host: Host) -> None:
    """As after a lost state: the new state's killed run had begun to create a container of the same name."""
    began = int(time.time())
    host.create("postgres", host.own, OURS)
    host.create("beside", host.also, OURS)
    assert host.who_answers() == "forge"
    answer = removed(host, ("postgres", "beside"), began)
    assert answer == {"removed": [f"{host.mark}-beside"], "kept": [f"{host.mark}-postgres"]}
    host.ids.pop("beside")
    host.remove_container("postgres")
