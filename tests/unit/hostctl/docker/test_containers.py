"""A container's endpoints as an operator configured them, read from `docker inspect`'s document."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostctl.docker import containers
from hostctl.host import port_holder

DERIVED = {"IPAddress": "172.18.0.2", "MacAddress": "02:42:ac:12:00:02"}


def endpoint(facts: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "Id": "f" * 64,
        "Name": "/contextforge",
        "Image": "sha256:1",
        "State": {"Running": True, "Paused": False},
        "Config": {},
        "HostConfig": {"NetworkMode": "mcpnet"},
        "NetworkSettings": {"Networks": {"mcpnet": facts}},
    }
    return containers.described(document, {"mcpnet": False}).attachments[0].endpoint


@pytest.mark.parametrize(
    "configured",
    [
        {"IPAMConfig": {"IPv4Address": "172.18.0.2", "IPv6Address": "fd00::2"}},
        {"Links": ["postgres:db"]},
        {"DriverOpts": {"com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1"}},
        {"GwPriority": 7},
        {"MacAddress": "02:00:00:00:00:09"},
    ],
)
def test_what_was_configured_is_kept_as_a_connect_takes_it(configured: dict[str, Any]) -> None:
    assert endpoint({**DERIVED, **configured}) == configured


def test_what_docker_chose_is_not_kept() -> None:
    nothing = {"IPAMConfig": None, "Links": None, "DriverOpts": None, "GwPriority": 0}
    assert endpoint({**DERIVED, **nothing}) == {}
    assert endpoint({"IPAddress": "", "MacAddress": ""}) == {}


def test_both_addresses_are_read() -> None:
    attachment = containers.Attachment("mcpnet", False, address="172.18.0.2", ipv6="fd00::2")
    container = containers.Container("f", "contextforge", attachments=(attachment,))
    assert container.addresses_on("mcpnet") == {"172.18.0.2", "fd00::2"}
    assert container.addresses_on("other") == set()


@pytest.mark.parametrize(("running", "published"), [(True, (9200,)), (False, ())])
def test_the_ports_that_docker_shows_of_a_container_that_a_power_cut_ended_are_published_no_more(
    running: bool, published: tuple[int, ...]
) -> None:
    document = {
        "State": {"Running": running},
        "NetworkSettings": {"Ports": {"4444/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9200"}]}},
    }
    assert containers.described(document).published == published
    row = {"State": "running" if running else "exited", "Ports": [{"PrivatePort": 4444, "PublicPort": 9200}]}
    assert containers.published_in(row) == set(published)


SHAPES: Any = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 70000), st.sampled_from(["", "8000-8010", "\ud800", "n8n", "0x1"]),
    st.just([]), st.just({}), st.just([None]), st.just({"": None}),
)  # fmt: skip
BINDINGS = st.dictionaries(st.sampled_from(["80/tcp", "53/udp", ""]), st.one_of(SHAPES, st.lists(SHAPES, max_size=2)))
FOREIGN = st.fixed_dictionaries(
    {},
    optional={
        "Id": SHAPES, "Name": SHAPES, "Image": SHAPES,
        "State": st.one_of(SHAPES, st.fixed_dictionaries({"Running": SHAPES, "Health": SHAPES, "ExitCode": SHAPES})),
        "Config": st.one_of(SHAPES, st.fixed_dictionaries({"Labels": SHAPES})),
        "HostConfig": st.one_of(
            SHAPES, st.fixed_dictionaries({"PortBindings": BINDINGS, "RestartPolicy": SHAPES, "NetworkMode": SHAPES})
        ),
        "NetworkSettings": st.one_of(
            SHAPES, st.fixed_dictionaries({"Ports": BINDINGS, "Networks": st.dictionaries(st.just("a"), SHAPES)})
        ),
        "Mounts": st.one_of(SHAPES, st.lists(st.fixed_dictionaries({"Type": st.just("volume"), "Name": SHAPES}))),
    },
)  # fmt: skip


@given(FOREIGN)
def test_a_container_of_any_make_is_read_and_holds_a_port_or_none(document: dict[str, Any]) -> None:
    container = containers.described(document)
    assert all(port > 0 for port in container.published)
    assert port_holder.among([container], 9200, "forge").kind in (port_holder.NOBODY, port_holder.UNKNOWN_OWNER)


def test_a_published_range_counts_as_its_first_port() -> None:
    bindings = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8000-8010"}]}
    (declared,) = containers.described({"HostConfig": {"PortBindings": bindings}}).declared
    assert (declared.inside, declared.outside) == ("80/tcp", 8000)
