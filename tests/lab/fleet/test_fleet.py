"""Three hosts cut over in waves, a broken second wave and the way on, and the rollback of all.

The cases follow one another, since each begins where the one before ends.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.lab.fleet.conftest import Fleet
from tests.soak import only_soak

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(1800),
    only_soak("three boxes, a quarter of an hour; tests/engine/test_fleet.py has the waves on a small program"),
]

FIGURES = os.environ.get("FLEET_FIGURES")
"""The file for the measured times, set by `python -m lab.benchmarks fleet`."""
CONTEXTFORGE = dict.fromkeys("abc", "mcp-context-forge-gateway")
SENTINEL = dict.fromkeys("abc", "sentinel-gateway")


def test_all_are_cut_over_the_canary_first(fleet: Fleet) -> None:
    assert fleet.serving() == CONTEXTFORGE
    done = fleet.make("up")
    assert done["ok"] is True, done
    assert fleet.serving() == SENTINEL
    hosts = {one["stack"]: one for one in done["hosts"]}
    assert all(0 < one["downtime_ms"] < 1000 for one in hosts.values())
    seconds = {stack: one["seconds"] for stack, one in hosts.items()}
    if FIGURES:
        whole = seconds["a"] + max(seconds["b"], seconds["c"])
        Path(FIGURES).write_text(json.dumps({"hosts": seconds, "one": seconds["a"], "three": whole}))


def test_a_second_run_changes_nothing_and_every_backend_answers(fleet: Fleet) -> None:
    previewed = fleet.make("preview")
    assert [set(one["document"]["changes"]) for one in previewed["hosts"]] == [{"same"}] * 3
    assert fleet.make("verify")["ok"] is True
    status = {one["stack"]: one["document"] for one in fleet.make("status")["hosts"]}
    assert {stack: one["active"] for stack, one in status.items()} == dict.fromkeys("abc", "sentinel")
    assert [one["drift"] for one in status.values()] == [[], [], []]


def test_the_rollback_gives_every_port_back(fleet: Fleet) -> None:
    done = fleet.make("rollback")
    assert done["ok"] is True, done
    assert fleet.serving() == CONTEXTFORGE


def test_a_broken_second_wave_stops_the_third_and_one_command_goes_on(fleet: Fleet) -> None:
    for stack in fleet.hosts:
        fleet.pulumi(stack, "config", "set", "active", "sentinel", "--stack", stack)
    file = fleet.hosts["b"].home / ".claude.json"
    before = file.read_bytes()
    file.write_bytes(before[: len(before) // 2])
    broken = fleet.make("up", at_once=1)
    assert [one["result"] for one in broken["hosts"]] == ["ok", "failed", "not started"]
    assert "broken JSON" in broken["hosts"][1]["error"]
    assert fleet.serving() == CONTEXTFORGE | {"a": "sentinel-gateway"}
    assert broken["next"] == 'make fleet-up STACKS="b c" AT_ONCE=1'
    file.write_bytes(before)
    assert fleet.make("up", "b", "c", at_once=1)["ok"] is True
    assert fleet.serving() == SENTINEL
