"""The endpoint settings of the operator's networks come back exactly, on real Docker engines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.docker.handover_host import ON_BOTH_DOCKERS, Host

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180, func_only=True), ON_BOTH_DOCKERS]

ADDRESS, ADDRESS6 = "10.213.7.9", "fd00:213:7::9"
FIXED = {"IPv4Address": ADDRESS, "IPv6Address": ADDRESS6}


@pytest.fixture
def fixed(host: Host) -> Iterator[str]:
    """A further network of ContextForge with fixed addresses, recorded; the former record comes back."""
    name, former = f"{host.mark}-fixed", host.record
    subnets = [{"Subnet": "10.213.7.0/24"}, {"Subnet": "fd00:213:7::/64"}]
    host.engine.post("/networks/create", {"Name": name, "EnableIPv6": True, "IPAM": {"Config": subnets}})
    endpoint = {"Aliases": ["forge-fixed"], "IPAMConfig": FIXED, "Links": [f"{host.mark}-database:db"]}
    host.engine.post(f"/networks/{name}/connect", {"Container": host.ids["forge"], "EndpointConfig": endpoint})
    try:
        request = {"kind": "contextforge", "project": host.mark, "gateway": f"{host.mark}-forge", "port": 19200}
        host.record = host.ok("predecessor", "record", **request)
        yield name
    finally:
        host.handover("rollback")
        host.record = former
        host.engine.post(f"/networks/{name}/disconnect", {"Container": host.ids["forge"]})
        host.engine.delete(f"/networks/{name}")


def configured(host: Host, network: str) -> dict[str, Any]:
    facts = host.inspect("forge")["NetworkSettings"]["Networks"][network]
    keys = ("IPAMConfig", "Links", "DriverOpts", "IPAddress", "GlobalIPv6Address")
    return {key: facts.get(key) for key in keys}


def test_fixed_addresses_and_links_come_back(host: Host, fixed: str) -> None:
    before = configured(host, fixed)
    assert (before["IPAddress"], before["GlobalIPv6Address"]) == (ADDRESS, ADDRESS6)
    host.handover("cutover")
    host.handover("rollback")
    assert configured(host, fixed) == before
    assert host.who_answers() == "forge"


def test_an_address_taken_meanwhile_is_named_before_anything_moves(host: Host, fixed: str) -> None:
    host.handover("cutover")
    taking = {"Container": host.ids["database"], "EndpointConfig": {"IPAMConfig": {"IPv4Address": ADDRESS}}}
    host.engine.post(f"/networks/{fixed}/connect", taking)
    try:
        sentence = f"{host.mark}-database took the address {ADDRESS} of {host.mark}-forge on the network {fixed}"
        assert sentence in host.call("rollback", "check", {"predecessor": host.record}).stderr
        done = host.call("handover", "rollback", host.document())
        assert done.returncode == 1 and sentence in done.stderr
        assert host.who_answers() == "sentinel"
    finally:
        host.engine.post(f"/networks/{fixed}/disconnect", {"Container": host.ids["database"]})
