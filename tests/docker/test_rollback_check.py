"""The needs of a rollback are checked before anything changes."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.docker.handover_host import Host

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120, func_only=True)]


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
