"""The simulated wall time of a fleet: a canary, then as many hosts at once as the plan allows."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from lab.benchmarks import fleet, render
from lab.benchmarks.fleet import median_seconds, wall_seconds
from ops.fleet.waves import Plan


@given(hosts=st.integers(1, 120), at_once=st.integers(1, 20))
def test_hosts_that_take_the_same_time_end_in_full_waves_after_the_canary(hosts: int, at_once: int) -> None:
    stacks = tuple(f"h{number}" for number in range(hosts))
    waves = 1 + math.ceil((hosts - 1) / at_once)
    assert wall_seconds(Plan(stacks, at_once, canary=True), dict.fromkeys(stacks, 90.0)) == 90.0 * waves


@given(times=st.lists(st.floats(1, 600), min_size=1, max_size=40), at_once=st.integers(1, 10))
def test_no_host_waits_while_a_place_is_free(times: list[float], at_once: int) -> None:
    seconds = {f"h{number}": one for number, one in enumerate(times)}
    wall = wall_seconds(Plan(tuple(seconds), at_once, canary=True), seconds)
    after_the_canary = times[1:]
    least = times[0] + max([sum(after_the_canary) / at_once, *after_the_canary])
    assert least - 0.001 <= wall <= times[0] + sum(after_the_canary) / at_once + max([0.0, *after_the_canary]) + 0.001


def test_the_table_has_what_was_measured_and_says_what_is_simulated_and_from_what() -> None:
    hosts = {"a": 80.0, "b": 90.0, "c": 100.0}
    assert median_seconds(100, 10, [*hosts.values()]) == median_seconds(100, 10, [*hosts.values()])
    taken = {"hosts": hosts, "one": 80.0, "three": 180.0, "simulated": 1080.0}
    shown = render("<!-- measured:fleet -->\n<!-- end -->\n", {fleet.KEY: taken})
    assert "| 3, measured, the canary first | 2 | 3.0 |" in shown
    assert "| 100, simulated, the canary first | 10 | 18.0 |" in shown and "took, 80 to 100 s." in shown
    assert fleet.TAKEN_BY in render("<!-- measured:fleet -->\n<!-- end -->\n", {})
