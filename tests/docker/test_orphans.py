"""A killed run's orphans are removed, and nothing else."""

from __future__ import annotations

import pytest

from tests.docker.handover_host import Host

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]


def test_only_what_is_ours_unknown_and_holds_nothing_is_removed(host: Host) -> None:
    ours = {"sentinel-cutover": "true"}
    for name, labels in (("known", ours), ("left", ours), ("theirs", {"sentinel-cutover": "false"})):
        host.create(name, host.also, labels)
    known = [host.ids["known"]]
    others = [one["Id"] for one in host.engine.get("/containers/json?all=1") if one["Id"] != host.ids["left"]]
    answer = host.ok("orphans", "remove", known=[*known, *others], networks=[host.internal, f"{host.mark}-empty"])
    assert answer == {"removed": [f"{host.mark}-left"], "kept": [host.internal]}
    host.engine.post("/networks/create", {"Name": f"{host.mark}-empty", "CheckDuplicate": True})
    again = host.ok("orphans", "remove", known=others, networks=[f"{host.mark}-empty"])
    assert again == {"removed": [f"{host.mark}-empty"], "kept": []}
    for name in ("known", "theirs"):
        host.remove_container(name)
    host.ids.pop("left")
