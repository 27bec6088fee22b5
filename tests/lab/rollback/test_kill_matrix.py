"""Interrupted anywhere, `make up` or `make rollback` ends in the right state; while only the engine died, one serves.

The points come from the engine's own preview and from `hostctl handover points`, so that a new step is covered without
being listed. CI takes one of every kind, at the port itself; `make soak` takes all.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from console.paths import ROOT
from console.progress import Progress
from hostctl.handover import scenarios
from lab import box as vps
from lab.box import Place
from lab.box.lifecycle import restart_docker
from tests.lab.cutover.conftest import Lab
from tests.lab.rollback.driver import GATEWAYS, OTHER, RUN, Driver, Point
from tests.lab.rollback.sums import Cut, Sums
from tests.soak import SOAK, only_soak

PORTS_RESOURCE = "handover-port"
MOMENTS = {"before": "before a step", "during": "while a step is at work", "after": "after a step"}
WAYS = ("rollback", "up")
"""The operator's commands after a run that was cut off, by turns."""
ONLY_SOAK = only_soak("half a minute a point on a quiet machine")

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3600)]


@pytest.mark.parametrize(
    "moment", [pytest.param(moment, marks=[] if moment == "during" else ONLY_SOAK) for moment in MOMENTS]
)
def test_a_run_whose_engine_is_killed_ends_in_the_right_state(
    driver: Driver, sums: Sums, say: Callable[[str], None], moment: str, tmp_path: Path
) -> None:
    """By turns during cutover and rollback, one after the other. In CI one cutover, killed at work on the port.

    A point that fails is reported at the end, after the others.
    """
    rollback_points = iter(points_to_contextforge(driver, moment) if SOAK else [])
    driver.staged()
    points = points_of(driver, "sentinel", moment) if SOAK else [Point(moment, PORTS_RESOURCE)]
    assert points
    cutovers, rollbacks = Cut(), Cut()
    failed: list[str] = []
    # So that a step is not followed by the same command in each of the three.
    for number, point in enumerate(points, list(MOMENTS).index(moment)):
        driver.staged()
        way = WAYS[number % 2]
        failed += engine_killed(driver, cutovers, point, "sentinel", way, tmp_path / str(number))
        say(f"cutover, {points.index(point) + 1} of {len(points)}: {point}; {len(failed)} failed")
        if way == "up" and (rollback_point := next(rollback_points, None)):
            rollback, folder = WAYS[number // 2 % 2], tmp_path / f"{number}-rollback"
            failed += engine_killed(driver, rollbacks, rollback_point, "contextforge", rollback, folder)
            say(f"rollback: {rollback_point}; {len(failed)} failed")
    for number, rollback_point in enumerate(rollback_points):
        driver.cut_over()
        folder = tmp_path / f"rollback-{number}"
        failed += engine_killed(driver, rollbacks, rollback_point, "contextforge", WAYS[number % 2], folder)
        say(f"rollback: {rollback_point}; {len(failed)} failed")
    driver.staged()
    assert not failed, "\n\n".join(failed)
    # A step whose inputs turn out to be the same is no point, but the port's is one in every run.
    assert cutovers.points
    sums.kill_matrix[f"the engine, {MOMENTS[moment]} of the cutover"] = cutovers
    if rollbacks.points:
        sums.kill_matrix[f"the engine, {MOMENTS[moment]} of the rollback"] = rollbacks


def points_to_contextforge(driver: Driver, moment: str) -> list[Point]:
    driver.cut_over()
    return points_of(driver, "contextforge", moment)


def points_of(driver: Driver, active: str, moment: str) -> list[Point]:
    """This moment of each resource on which the turn of the switch would act."""
    return [Point(moment, name) for name in driver.steps(active)]


def engine_killed(driver: Driver, cut: Cut, point: Point, active: str, way: str, folder: Path) -> list[str]:
    """One point; what was wrong afterwards, empty when all is as it should be."""
    folder.mkdir()
    with driver.watched() as seen:
        if not driver.killed(active, point, folder):
            return []
        wrong = after_it(driver, cut, str(point), way, active)
    cut.only_engine += 1
    cut.served += seen.served
    return wrong if seen.served else [*wrong, f"{point}, then make {way}: {seen}"]


def after_it(driver: Driver, cut: Cut, point: str, way: str, active: str) -> list[str]:
    """`make WAY` after a run that was cut off; what was wrong then, empty when all is as it should be."""
    done = driver.lab.make(way)
    cut.points += 1
    right = GATEWAYS["contextforge" if way == "rollback" else active]
    holders = driver.holder().split()
    one_and_right = len(holders) == 1 and holders[0].startswith(right)
    if done.returncode == 0 and one_and_right and "Traceback" not in done.stderr:
        cut.converged += 1
        return []
    return [f"{point}, then make {way}: {done.returncode} {holders}\n{done.stdout}\n{done.stderr[-3000:]}"]


@pytest.mark.parametrize(
    ("scenario", "active", "ways"),
    [
        ("cutover after a rollback", "sentinel", ("rollback", "up")),
        pytest.param("rollback", "contextforge", ("rollback", "rollback"), marks=ONLY_SOAK),
    ],
)
def test_a_run_whose_hostctl_is_killed_at_a_line_of_its_journal_ends_in_the_right_state(
    driver: Driver, sums: Sums, say: Callable[[str], None], scenario: str, active: str, ways: tuple[str, str]
) -> None:
    points: list[str] = scenarios.points()["scenarios"][scenario]
    if SOAK:
        driver.cut_over()
        driver.staged()
        # An example has a network more than the lab.
        points = [point for point in points if point in driver.journal_points()]
    else:
        points = points[len(points) // 2 :][:1]
    assert points
    cut = Cut()
    failed: list[str] = []
    for number, point in enumerate(points):
        driver.turn(OTHER[active])
        driver.lab.set("active", active)
        died = subprocess.run(
            [driver.lab.engine, *RUN],
            cwd=ROOT,
            env={**driver.lab.variables, "HOSTCTL_DIE_AT": point},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert died.returncode != 0, f"no run passes {point}"
        failed += after_it(driver, cut, point, ways[number % 2], active)
        say(f"{scenario}, {cut.points} of {len(points)}: {point}; {len(failed)} failed")
    driver.staged()
    assert not failed, "\n\n".join(failed)
    sums.kill_matrix[f"`hostctl` at a line of its journal, {scenario}"] = cut


RESTARTED = {"dockerd": "dockerd", "host": "the host"}


@pytest.mark.parametrize(
    ("what", "way", "active"),
    [
        ("host", "rollback", "contextforge"),
        pytest.param("dockerd", "cutover", "sentinel", marks=ONLY_SOAK),
        pytest.param("dockerd", "rollback", "contextforge", marks=ONLY_SOAK),
        pytest.param("host", "cutover", "sentinel", marks=ONLY_SOAK),
    ],
)
def test_the_host_restarts_under_the_run(
    driver: Driver, sums: Sums, progress: Progress, say: Callable[[str], None],
    what: str, way: str, active: str, tmp_path: Path,
) -> None:  # fmt: skip
    driver.turn(OTHER[active])
    cut, steps = Cut(), driver.steps(active) if SOAK else [PORTS_RESOURCE]
    failed: list[str] = []
    for number, name in enumerate(steps):
        driver.turn(OTHER[active])
        folder = tmp_path / name
        folder.mkdir()
        if not driver.killed(active, Point("during", name), folder):
            continue
        (restart_docker if what == "dockerd" else vps.reboot)(Place(), progress)
        failed += after_it(driver, cut, f"{what} restarts during {name}, {way}", WAYS[number % 2], active)
        say(f"{RESTARTED[what]} restarts, {way}, {number + 1} of {len(steps)}: {name}; {len(failed)} failed")
    driver.staged()
    assert not failed, "\n\n".join(failed)
    assert cut.points
    sums.kill_matrix[f"{RESTARTED[what]} restarts during a step of the {way}"] = cut


@ONLY_SOAK
def test_of_two_runs_at_once_the_second_is_refused_with_holder_and_time(driver: Driver, tmp_path: Path) -> None:
    lab: Lab = driver.lab
    lab.set("active", "sentinel")
    log = tmp_path / "events"
    os.mkfifo(log)
    first = subprocess.Popen(
        [lab.engine, *RUN, "--event-log", str(log)],
        cwd=ROOT, env={**lab.variables, "PULUMI_DEBUG_COMMANDS": "true"},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with log.open(encoding="utf-8") as events:
        assert driver.until(Point("before", PORTS_RESOURCE), events)
        first.send_signal(signal.SIGSTOP)
        before = lab.configuration()
        second = lab.make("rollback")
        after = lab.configuration()
        first.send_signal(signal.SIGCONT)
        for _ in events:
            continue
    assert first.wait(120) == 0
    assert second.returncode == 1
    assert yaml.safe_load(after) == yaml.safe_load(before)
    refusal = json.loads(second.stdout)["error"]
    assert f"(process {first.pid}) has held the stack's lock since 20" in refusal
    driver.must_be_whole("sentinel")
