"""A rollback's needs are checked before anything changes; a killed run's orphans are removed, and nothing else."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.docker.handover_host import Host

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]


def check(host: Host, **document: Any) -> str:
    return host.call("rollback", "check", document).stderr


def changed(host: Host, **values: Any) -> dict[str, Any]:
    """The record with one container of another name and id, or with what is given."""
    record = copy.deepcopy(host.record)
    record["containers"][0] |= {"name": "gone", "id": "0" * 64} if not values else {}
    return record | values


def test_everything_that_is_there_is_no_refusal(host: Host) -> None:
    assert check(host, images=[host.image], predecessor=host.record) == ""
    assert check(host, predecessor={"kind": "absent"}) == ""


def test_what_is_gone_is_named(host: Host) -> None:
    assert "the image nowhere:1 is gone" in check(host, images=[host.image, "nowhere:1"])
    assert "the predecessor's container gone is gone" in check(host, predecessor=changed(host))
    without = changed(host, volumes=["lost"])
    assert "the predecessor's volume lost is gone" in check(host, predecessor=without)
    gateway = host.record["gateway"] | {"networks": [{"name": "nowhere", "aliases": [], "internal": False}]}
    assert "the predecessor's network nowhere is gone" in check(host, predecessor=host.record | {"gateway": gateway})


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
