"""A model beside the lab: whatever is done in whatever order, exactly one gateway answers, and it is the right one.

Each step is a run of the engine. CI takes a few of them, always the same ones; `make soak` takes more, by chance.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, cast

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from console.paths import LOGS
from console.progress import Progress
from lab import box as vps
from lab.box import Place
from tests.lab.rollback.driver import OTHER, SOAK, Driver, Point
from tests.lab.rollback.sums import Sums
from tests.lab.rollback.test_round_trips import spoil

STEPS, RUNS = (10, 4) if SOAK else (4, 1)

pytestmark = [pytest.mark.lab, pytest.mark.timeout(7200)]


class Operator(RuleBasedStateMachine):
    """The model: who should serve, and which image Sentinel has."""

    driver: Driver
    counts: ClassVar[dict[str, int]] = {}
    images: ClassVar[list[str]] = []

    @initialize()
    def begins_staged(self) -> None:
        self.driver.staged()
        self.active = "contextforge"
        self.predecessor_stopped = False
        self.lab = self.driver.lab
        self.image = str(self.lab.ops("history")[0]["image"])

    def did(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    @rule()
    def cut_over(self) -> None:
        self.did("cutover")
        self.lab.set("active", "sentinel")
        assert self.lab.ops("up")["ok"] is True
        self.active = "sentinel"

    @rule()
    def go_back(self) -> None:
        self.did("rollback")
        assert self.lab.ops("rollback")["active"] == "contextforge"
        self.active, self.predecessor_stopped = "contextforge", False

    @precondition(lambda self: self.active == "sentinel")
    @rule()
    def stop_predecessor(self) -> None:
        self.did("stop-predecessor")
        assert self.lab.ops("stop-predecessor")["predecessor"] == "stopped"
        self.predecessor_stopped = True

    @rule()
    def new_image(self) -> None:
        self.did("new image")
        tag = f"lab/sentinel:machine-{len(self.images)}"
        self.lab.docker("tag", self.image, tag)
        self.images.append(tag)
        self.lab.set("sentinel.image", tag)
        assert self.lab.ops("up")["ok"] is True
        self.image = tag

    @precondition(lambda self: self.active == "sentinel")
    @rule()
    def bad_image(self) -> None:
        self.did("bad image")
        good = next(row["number"] for row in self.lab.ops("history") if row["result"] == "succeeded")
        spoil(self.lab, self.image, "lab/sentinel:bad")
        self.lab.set("sentinel.image", "lab/sentinel:bad")
        assert self.lab.ops("up")["ok"] is False
        assert self.lab.ops("rollback", "--to", str(good))["active"] == "sentinel"

    @rule()
    def reboot(self) -> None:
        self.did("reboot")
        vps.reboot(Place(), Progress(LOGS))
        assert self.lab.ops("up")["ok"] is True
        self.predecessor_stopped = self.active == "sentinel"

    @rule()
    def lost_file(self) -> None:
        """The one without which no delete runs."""
        self.did("lost file")
        (Path(self.lab.box.folder) / "hostctl.pyz").unlink()
        assert self.lab.ops("up")["ok"] is True

    @rule(data=st.data())
    def killed_run(self, data: st.DataObject) -> None:
        self.did("killed run")
        other = OTHER[self.active]
        names = self.driver.steps(other)
        point = Point(data.draw(st.sampled_from(["before", "during", "after"])), data.draw(st.sampled_from(names)))
        with tempfile.TemporaryDirectory() as folder:
            self.driver.killed(other, point, Path(folder))
        # Also where the run never was there and ended: then there is nothing left to do.
        assert self.lab.ops("up")["ok"] is True
        self.active = other

    @invariant()
    def exactly_one_gateway_answers_and_it_is_the_right_one(self) -> None:
        if not hasattr(self, "active"):
            return
        self.did("checked")
        predecessor = self.driver.must_be_whole(self.active)["predecessor"]
        wanted = (
            {"serving"}
            if self.active == "contextforge"
            else {"stopped"}
            if self.predecessor_stopped
            else {"paused", "stopped"}
        )
        assert predecessor in wanted


def test_whatever_is_done_in_whatever_order_the_right_gateway_answers(driver: Driver, sums: Sums) -> None:
    Operator.driver = driver
    before = driver.lab.configuration()
    try:
        run_state_machine_as_test(
            Operator,
            settings=settings(
                max_examples=RUNS,
                stateful_step_count=STEPS,
                deadline=None,
                derandomize=not SOAK,
                phases=[Phase.generate],
                suppress_health_check=[*cast("Iterable[HealthCheck]", HealthCheck)],
                database=None,
            ),
        )
    finally:
        (Place().root / "Pulumi.lab.yaml").write_text(before)
    driver.staged()
    sums.state_machine = dict(Operator.counts)
