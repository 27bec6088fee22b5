"""Containers of the stack that somebody stopped or removed come back with the next `make up`."""

from __future__ import annotations

import pytest

from tests.lab.cutover.conftest import Lab

pytestmark = [pytest.mark.lab, pytest.mark.engine]

STOPPED, REMOVED = "sentinel-postgres", "sentinel-prometheus"


def test_make_up_restores_what_was_stopped_and_removed_by_hand(lab: Lab) -> None:
    lab.up()
    sentinel, postgres = str(lab.outputs()["sentinel"]), lab.inspect(STOPPED)["Id"]
    lab.docker("stop", "--time", "5", STOPPED)
    lab.docker("rm", "--force", REMOVED)
    done = lab.make("up")
    assert done.returncode == 0, done.stderr
    assert f"{STOPPED} was stopped since the last run" in done.stderr
    assert f"{REMOVED} was removed since the last run" in done.stderr
    assert [lab.inspect(name)["State"]["Running"] for name in (STOPPED, REMOVED, sentinel)] == [True] * 3
    assert lab.inspect(STOPPED)["Id"] == postgres, "it has no port, so it is started in place"
    assert "was stopped" not in lab.make("up").stderr
