"""Two operators on one shared backend, each in a clone of their own; and a backend that goes away during a run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from console.paths import ROOT
from tests.engine.fleet_driver import driven, make_fleet
from tests.engine.test_run import pytestmark
from tests.relay import Relay, relayed
from tests.soak import only_soak

__all__ = ["pytestmark"]

RUN_SECONDS = 240.0


@dataclass(frozen=True)
class Ended:
    """A command's exit status, document and lines."""

    code: int
    document: dict[str, Any]
    shown: str


def started(clone: Path, stack: str, command: str = "up") -> subprocess.Popen[str]:
    return subprocess.Popen(
        driven(clone, command, "--stack", stack, "--yes", "--json"), cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def ended(running: subprocess.Popen[str]) -> Ended:
    said, shown = running.communicate(timeout=RUN_SECONDS)
    return Ended(running.returncode, json.loads(said), shown)


def begun(clones: tuple[Path, ...]) -> list[str]:
    events = [file.read_text().splitlines() for clone in clones if (file := clone / "events").exists()]
    return [line for lines in events for line in lines if line.startswith("begin")]


@pytest.fixture
def clones(tmp_path: Path, backend: str) -> tuple[Path, Path]:
    """Two clones that share a backend, two stacks in it, and the passphrase."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    make_fleet(first, "a", "b")
    for stack in "ab":
        assert ended(started(first, stack)).code == 0
    shutil.copytree(first, second, ignore=shutil.ignore_patterns("pulumi-home", "log"))
    for clone in (first, second):
        (clone / "events").unlink()
    return first, second


@pytest.mark.parametrize("backend", ["s3", "postgres"], indirect=True)
def test_two_operators_on_one_stack_never_run_at_the_same_time(clones: tuple[Path, Path]) -> None:
    for clone in clones:
        os.mkfifo(clone / "gate-a")
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(ended, started(clone, "a")) for clone in clones]
        done, _ = wait(runs, RUN_SECONDS, FIRST_COMPLETED)
        refused = done.pop().result()
        assert refused.code == 1 and re.search(r"did not start: .* has held the stack's lock since", refused.shown)
        release(clones, runs)
        codes = sorted(run.result().code for run in runs)
    # Two that begin in the same moment may refuse each other; then neither has changed anything.
    assert (codes, len(begun(clones))) in [([0, 1], 1), ([1, 1], 0)]


def release(clones: tuple[Path, Path], runs: list[Future[Ended]]) -> None:
    """Open the gate at which a run waits, unless every run has ended."""
    pause = threading.Event()
    while not all(run.done() for run in runs):
        for clone in clones:
            try:
                os.close(os.open(clone / "gate-a", os.O_WRONLY | os.O_NONBLOCK))
            except OSError:
                pause.wait(0.1)


def test_two_operators_on_two_stacks_do_not_wait_for_each_other(clones: tuple[Path, Path]) -> None:
    runs: list[subprocess.Popen[str]] = []
    for clone, stack in zip(clones, "ab", strict=True):
        os.mkfifo(clone / f"gate-{stack}")
        runs.append(started(clone, stack))
    gates = [(clone / f"gate-{stack}").open("w") for clone, stack in zip(clones, "ab", strict=True)]
    assert sorted(begun(clones)) == ["begin a", "begin b"]
    for gate in gates:
        gate.close()
    assert [ended(run).code for run in runs] == [0, 0]


@pytest.fixture
def cut(backend: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    """A connection to the backend that a test can cut."""
    port = re.search(r"127\.0\.0\.1:(\d+)", backend)
    assert port
    with relayed(("127.0.0.1", int(port[1]))) as relay:
        monkeypatch.setenv("PULUMI_BACKEND_URL", backend.replace(port[0], f"127.0.0.1:{relay.port}"))
        yield relay


@pytest.mark.parametrize(
    "backend",
    [pytest.param("s3", marks=only_soak("two minutes, for which the engine's client of S3 tries again")), "postgres"],
    indirect=True,
)
def test_a_backend_that_goes_away_ends_the_run_with_a_sentence_and_the_next_one_finishes(
    tmp_path: Path, cut: Relay
) -> None:
    make_fleet(tmp_path, "a")
    os.mkfifo(tmp_path / "gate-a")
    running = started(tmp_path, "a")
    with (tmp_path / "gate-a").open("w"):
        cut.cut()
    lost = ended(running)
    assert lost.code == 1 and "Traceback" not in lost.shown
    assert "the state could not be written, and the port stays with whoever serves" in lost.document["error"]
    away = ended(started(tmp_path, "a"))
    assert away.code == 1 and away.document["error"].startswith("The stack a cannot be opened: ")
    rollback = ended(started(tmp_path, "a", "rollback"))
    assert rollback.code == 1 and "A rollback needs no state" in rollback.document["error"]
    cut.join()
    (tmp_path / "gate-a").unlink()
    again = ended(started(tmp_path, "a"))
    assert again.code == 0 and "An earlier run left its lock" in again.shown, again.shown
