"""Attack: from the outside, connect to a port that Docker publishes; its packets never pass the INPUT rule against it.

Defence: a loopback bind and the firewall, each of which holds alone, before and after everything that resets one.
"""

from __future__ import annotations

import pytest

from lab.port_scan import ALLOWED, PORTS, scan
from tests.lab.security.course import GUARDED, OURS, STATES, UNGUARDED, Course
from tests.lab.security.outside import ADDRESSES

OPERATORS = {5432, 6379}
"""The ports that the operator's own script closes, from its first run."""

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("state", STATES)
def test_of_all_ports_only_ssh_answers(course: Course, state: str) -> None:
    table = course.tables[state]
    print(f"{state}: {dict(table)}")
    for address in ADDRESSES:
        assert table[address]["open"] == [22]
        tried = len(table[address]["open"]) + len(table[address]["silent"]) + table[address]["refused"]
        assert tried == len(PORTS) == 65535


@pytest.mark.parametrize("state", STATES[1:])
def test_the_guarded_ports_are_silent(course: Course, state: str) -> None:
    for address in ADDRESSES:
        assert set(course.tables[state][address]["silent"]) - OPERATORS == {*OURS, GUARDED}


def test_during_the_handover_neither_port_ever_answered(course: Course) -> None:
    assert course.gateway_over_handover["rounds"] > 20
    assert [course.gateway_over_handover[address]["open"] for address in ADDRESSES] == [[], []]


def test_during_the_handover_only_ssh_answered_of_all_ports(course: Course) -> None:
    """From the moment at which the engine begins with it, round after round until the run's end."""
    assert course.every_over_handover["rounds"] >= 1
    assert [course.every_over_handover[address]["open"] for address in ADDRESSES] == [[22], [22]]


def test_a_published_port_answers_past_the_rule_that_seems_to_close_it(course: Course) -> None:
    """The control: the outside does reach such a port, so that the tables above show something."""
    assert course.control[ADDRESSES[0]]["open"] == [UNGUARDED]


def test_the_firewall_alone_holds_a_port_that_is_published_on_every_address(course: Course) -> None:
    found = course.tables["after the cutover"]
    assert all(GUARDED in found[address]["silent"] for address in ADDRESSES)
    assert all(course.without_firewall[address]["open"] == [GUARDED] for address in ADDRESSES)


def test_the_loopback_bind_alone_holds_the_gateways_ports(course: Course) -> None:
    assert all(not set(OURS) & set(course.without_firewall[address]["open"]) for address in ADDRESSES)


def test_the_operators_script_brings_the_rules_back_after_a_flush(course: Course) -> None:
    assert all(course.script_run_again[address]["open"] == [] for address in ADDRESSES)


def test_the_rules_can_be_read_by_root_and_in_a_privileged_container(course: Course) -> None:
    assert course.shown["by root"]["ok"] is True
    assert course.shown["by root"]["unreached"] == []
    assert course.shown["in a container"] == course.shown["by root"]


def test_rolling_back_keeps_the_firewall_and_destroying_removes_it_without_a_trace(course: Course) -> None:
    assert course.shown["after a rollback"]["ok"] is True
    assert course.left_on_destroy == {"rules": [], "script": True}


def test_the_probe_finds_what_is_not_bound_to_loopback_and_says_what_it_cannot_show(course: Course) -> None:
    assert {(one["address"], one["port"]) for one in course.probed["open"]} == {(ADDRESSES[0], GUARDED)}
    assert (course.probed["addresses"], course.probed["untried"]) == ([ADDRESSES[0]], [ADDRESSES[1]])
    assert course.probed["ok"] is False
    assert "the firewall's rules do not meet them" in course.probed["does_not_show"]


@pytest.mark.parametrize("address", ["127.0.0.1", "192.0.2.1", "10.0.0.1", "::1"])
def test_nothing_but_the_labs_own_documentation_addresses_is_scanned(address: str) -> None:
    assert len(ALLOWED) == 2
    with pytest.raises(ValueError, match="is not for documentation, so it is not scanned"):
        scan(address)
