"""A model beside the lab: whatever is done in whatever order, exactly one gateway answers, and it is the right one.

Each step is a run of the engine. CI takes a few different ones, always the same; `make soak` takes more, by chance.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar, cast

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
from tests.lab.rollback.driver import OTHER, Driver, Point
from tests.lab.rollback.sums import Sums
from tests.lab.rollback.test_round_trips import spoil
from tests.soak import SOAK

STEPS, RUNS = (10, 4) if SOAK else (3, 1)

pytestmark = [pytest.mark.lab, pytest.mark.timeout(7200)]


def possible(what: str, *, when: Callable[[Operator], bool] = lambda self: True) -> Callable[[Any], Any]:
    """The precondition of a rule; in CI it is applied once at most."""
    return precondition(lambda self: when(self) and (SOAK or what not in self.counts))


def serves(self: Operator) -> bool:
    """Sentinel has the port."""
    return self.active == "sentinel"


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

    @possible("cutover")
    @rule()
    def cut_over(self) -> None:
        self.did("cutover")
        self.lab.set("active", "sentinel")
        assert self.lab.ops("up")["ok"] is True
        self.active = "sentinel"

    @possible("rollback")
    @rule()
    def go_back(self) -> None:
        self.did("rollback")
        assert self.lab.ops("rollback")["active"] == "contextforge"
        self.active, self.predecessor_stopped = "contextforge", False

    @possible("stop-predecessor", when=serves)
    @rule()
    def stop_predecessor(self) -> None:
        self.did("stop-predecessor")
        assert self.lab.ops("stop-predecessor")["predecessor"] == "stopped"
        self.predecessor_stopped = True

    @possible("new image")
    @rule()
    def new_image(self) -> None:
        self.did("new image")
        tag = f"lab/sentinel:machine-{len(self.images)}"
        self.lab.docker("tag", self.image, tag)
        self.images.append(tag)
        self.lab.set("sentinel.image", tag)
        assert self.lab.ops("up")["ok"] is True
        self.image = tag

    @possible("bad image", when=lambda self: SOAK and serves(self))
    @rule()
    def bad_image(self) -> None:
        """In CI a test of the round trips does the same."""
        self.did("bad image")
        good = next(row["number"] for row in self.lab.ops("history") if row["result"] == "succeeded")
        spoil(self.lab, self.image, "lab/sentinel:bad")
        self.lab.set("sentinel.image", "lab/sentinel:bad")
        assert self.lab.ops("up")["ok"] is False
        assert self.lab.ops("rollback", "--to", str(good))["active"] == "sentinel"

    @possible("reboot")
    @rule()
    def reboot(self) -> None:
        self.did("reboot")
        vps.reboot(Place(), Progress(LOGS))
        assert self.lab.ops("up")["ok"] is True
        self.predecessor_stopped = self.active == "sentinel"

    @possible("lost file")
    @rule()
    def lost_file(self) -> None:
        """The one without which no delete runs."""
        self.did("lost file")
        (Path(self.lab.box.folder) / "hostctl.pyz").unlink()
        assert self.lab.ops("up")["ok"] is True

    @possible("killed run")
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
            else {"standby", "stopped"}
        )
        assert predecessor in wanted

    @invariant()
    def whatever_serves_survives_a_restart(self) -> None:
        if hasattr(self, "active"):
            assert self.driver.lacking_for_a_restart() == []


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
