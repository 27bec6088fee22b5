"""A state that is lost after the cutover: refused, adopted while the port answers, and a rollback without any state."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.cutover.conftest import STACK
from tests.lab.drill.faults import lose_the_state
from tests.lab.rollback.driver import RUN, Driver
from tests.soak import only_soak

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]
COPIES = "state-copies"


def started(driver: Driver) -> dict[str, str]:
    """The start of every container of ours, by its id."""
    ids = driver.lab.docker("ps", "-aq", "--no-trunc", "--filter", "label=sentinel-cutover=true").split()
    return {one: driver.lab.inspect(one)["State"]["StartedAt"] for one in ids}


@pytest.fixture(autouse=True)
def state_stays_recoverable(driver: Driver, tmp_path: Path) -> Generator[None]:
    """A failed test does not leave the next one without any state."""
    driver.cut_over()
    folder, kept = driver.state_file().parents[2], tmp_path / "state"
    shutil.copytree(folder, kept)
    yield
    known: dict[str, Any] = {}
    if driver.state_file().exists():
        known = json.loads(driver.state_file().read_bytes())["checkpoint"]["latest"] or {}
    if not known.get("resources"):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(kept, folder)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("copy", marks=only_soak("two minutes; tests/engine/test_lost_state.py adopts from a copy")),
        pytest.param("host", marks=only_soak("two minutes; tests/engine/test_rebuilt_state.py previews such a state")),
    ],
)
def test_a_host_is_adopted_while_the_port_answers_and_nothing_restarts(driver: Driver, source: str) -> None:
    driver.cut_over()
    before = started(driver)
    lose_the_state(driver)
    for command in ("preview", "up"):
        refused = driver.lab.make(command)
        assert refused.returncode == 1 and f"`make adopt STACK={STACK}`" in refused.stderr, refused.stderr[-3000:]
    copies = Path(driver.lab.box.folder) / COPIES
    if source == "host":
        shutil.rmtree(copies)
    with driver.watched() as seen:
        done = driver.lab.make("adopt")
    assert done.returncode == 0, done.stderr[-3000:]
    document = json.loads(done.stdout)
    assert ("copy" in document["from"]) is (source == "copy")
    assert set(document["changes"]) == {"same"} and document["left"] == []
    assert seen.gap_ms < 1000
    assert started(driver) == before
    driver.must_be_whole("sentinel")
    assert list(copies.iterdir()), "the adopted state has its copy on the host again"
    back = driver.lab.make("rollback")
    assert back.returncode == 0, back.stderr[-3000:]
    driver.must_be_whole("contextforge")


@only_soak("a minute; tests/engine/test_lost_state.py has the same refusal before the engine begins")
def test_the_engine_alone_is_refused_at_its_first_action(driver: Driver) -> None:
    driver.cut_over()
    before, folder = started(driver), driver.state_file().parents[2]
    aside = folder.with_name("aside")
    folder.rename(aside)
    try:
        driver.lab.pulumi("stack", "select", "--create", "--non-interactive", STACK)
        output = driver.lab.pulumi(*RUN, check=False)
        assert "belongs to another state" in output
        driver.lab.pulumi("destroy", "--yes", "--skip-preview", "--non-interactive", "--color", "never")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)
    assert started(driver) == before
    assert (Path(driver.lab.box.folder) / "hostctl.pyz").exists()
    driver.must_be_whole("sentinel")


def test_a_rollback_needs_the_host_alone(driver: Driver) -> None:
    driver.cut_over()
    program = f"{driver.lab.box.folder}/hostctl.pyz"
    done = subprocess.run(
        driver.lab.on_host([sys.executable, "-I", "-S", program, "handover", "back"]),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["changed"] is True and answer["claude"].startswith("Claude's entry: ")
    driver.must_be("contextforge")
    assert (Path(driver.lab.box.home) / ".mcp-token").read_text().strip() == driver.forges_token
    # The state still says that Sentinel should serve.
    assert driver.lab.make("up").returncode == 0
    driver.must_be_whole("sentinel")
