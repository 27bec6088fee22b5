"""The port's holder is one of four kinds, and its sentence says how an unknown owner is stopped."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from hostctl.docker.containers import Container
from hostctl.host import port_holder

PORT = 9200
SENTINEL = Container("1", "gateway", published=(PORT,), role="gateway")
FORGE = Container("2", "contextforge", published=(PORT,))
OTHER = Container("3", "nginx", published=(PORT,))
BYSTANDER = Container("4", "database", published=(5432,))


@pytest.mark.parametrize(
    ("container", "kind"), [(SENTINEL, "sentinel"), (FORGE, "contextforge"), (OTHER, "unknown owner")]
)
@pytest.mark.parametrize("predecessor", ["contextforge", "2"])
def test_a_container_holds_the_port_as_what_it_is(container: Container, kind: str, predecessor: str) -> None:
    holder = port_holder.among([BYSTANDER, container], PORT, predecessor)
    assert (holder.kind, holder.name, holder.id) == (kind, container.name, container.id)


def test_an_unknown_owner_goes_first_where_two_hold_the_port() -> None:
    assert port_holder.among([SENTINEL, OTHER], PORT, "contextforge").kind == "unknown owner"
    assert len(port_holder.every([SENTINEL, OTHER, BYSTANDER], PORT, "")) == 2


def test_a_container_with_no_name_given_for_the_predecessor_is_unknown() -> None:
    assert port_holder.among([replace(FORGE, name="")], PORT, "").kind == "unknown owner"


def test_nobody_holds_a_port_without_a_listener_and_a_process_is_an_unknown_owner() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        assert port_holder.find([BYSTANDER], port, "").kind == "nobody"
        assert port_holder.find([BYSTANDER], port, "").document() is None
        listening.listen()
        holder = port_holder.find([BYSTANDER], port, "")
    assert (holder.kind, holder.id) == ("unknown owner", "") and holder.name.startswith("process ")
    assert holder.refusal(port).endswith("which is not a gateway: stop it or choose another port")


def test_the_refusal_names_the_command_that_stops_an_unknown_container() -> None:
    sentence = port_holder.among([OTHER], PORT, "").refusal(PORT)
    assert sentence.startswith("port 9200 is held by the container nginx, neither the predecessor nor Sentinel: ")
    assert "'docker stop nginx'" in sentence
