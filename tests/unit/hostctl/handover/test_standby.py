"""The members of the standby network, and the check of the port before a connect, without Docker."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from hostctl.core.errors import Refusal
from hostctl.docker.containers import Attachment, Container
from hostctl.docker.engine import Engine
from hostctl.docker.networks import Member
from hostctl.handover import preconditions, standby
from hostctl.handover.goal import Goal
from hostctl.handover.scenarios import FORGE, IN_STANDBY, REQUEST, SERVING

GATEWAY = replace(FORGE, project="forge")


def peer(name: str, service: str = "", project: str = "", network: str = "mcpnet", *aliases: str) -> Container:
    return Container(name, name, attachments=(Attachment(network, False, aliases),), service=service, project=project)


def test_everything_on_the_gateways_networks_is_a_member_under_each_of_its_names() -> None:
    present = [
        GATEWAY, SERVING, peer("forge-db-1", "postgres", "forge", "mcpnet", "db"), peer("n8n", network="other"),
        peer("sqlite"),
    ]  # fmt: skip
    assert standby.members_of(REQUEST, present) == (
        Member("forge-db-1", ("forge-db-1", "postgres", "db")), Member("sqlite", ("sqlite",)),
    )  # fmt: skip


def test_replicas_share_their_services_name() -> None:
    replicas = [peer(f"forge-worker-{number}", "worker", "forge") for number in (1, 2)]
    assert [member.aliases[1] for member in standby.members_of(REQUEST, [GATEWAY, *replicas])] == ["worker", "worker"]


def test_a_name_of_the_gateways_own_project_stays_with_it() -> None:
    present = [GATEWAY, peer("n8n-db", "postgres", "n8n"), peer("forge-db", "postgres", "forge")]
    assert {m.container: m.aliases for m in standby.members_of(REQUEST, present)} == {
        "forge-db": ("forge-db", "postgres"), "n8n-db": ("n8n-db",),
    }  # fmt: skip


def test_two_others_of_one_name_are_refused_by_name() -> None:
    with pytest.raises(Refusal, match="one and two are both called vectors on the networks of contextforge"):
        standby.members_of(REQUEST, [GATEWAY, peer("one", "vectors", "a"), peer("two", "vectors", "b")])


def test_the_predecessor_is_linked_to_the_others_by_each_name_that_only_one_has() -> None:
    standing = "sentinel-predecessor"
    peers = [
        IN_STANDBY, peer("db", "", "", standing, "db", "postgres"), peer("w1", "", "", standing, "w1", "worker"),
        peer("w2", "", "", standing, "w2", "worker"), peer("elsewhere", "", "", "other", "cache"),
    ]  # fmt: skip
    assert standby.links_to(peers, REQUEST) == ("db:db", "db:postgres", "w1:w1", "w2:w2")


def test_the_address_in_standby_is_the_one_on_that_network() -> None:
    there = replace(IN_STANDBY, attachments=(Attachment("sentinel-predecessor", True, (), "172.30.0.4"),))
    assert standby.place(there, REQUEST).url("/health") == "http://172.30.0.4:9200/health"
    with pytest.raises(Refusal, match="contextforge is not in standby on the network sentinel-predecessor"):
        standby.place(FORGE, REQUEST)


@pytest.mark.parametrize(("container", "refusal"), [("forge", ""), ("other", "the container x took port 9200")])
def test_the_port_is_read_before_a_connect(monkeypatch: pytest.MonkeyPatch, container: str, refusal: str) -> None:
    class Docker:
        def get(self, path: str) -> Any:
            assert path.startswith("/containers/json")
            return [{"Id": container, "Names": ["/x"], "Ports": [{"PublicPort": 9200}]}]

    monkeypatch.setattr(preconditions, "HELD_SECONDS", 0.0)
    engine, goal = cast("Engine", Docker()), Goal("contextforge", "forge", "contextforge")
    if not refusal:
        preconditions.refuse_held_port(engine, REQUEST, goal)
        return
    with pytest.raises(Refusal, match=refusal):
        preconditions.refuse_held_port(engine, REQUEST, goal)
