"""The fixtures of every group of tests: the box of this clone, brought up for the session where it does not run yet."""

from __future__ import annotations

import io
import os
import platform
import shutil
import signal
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from _pytest.terminal import TerminalReporter

from console.progress import Progress
from lab import box as vps
from lab import sandbox
from lab.box import Box, Place
from tests import durations, side_by_side
from tests.lab import diagnosis

REASON_NO_PROMETHEUS = "prometheus and promtool are not in PATH, and only root can make the lab's image that holds them"
REASON_NO_LAB = "a box needs Linux and root; run the tests as root"
DIAGNOSES = 3
_LINES: list[str] = []
_DIAGNOSED = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Ctrl-C counts, for the children too: a shell that starts the tests in the background has it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    durations.register(config)
    side_by_side.register(config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked `lab` are skipped exactly where a box is impossible; `prometheus` where there is none to run."""
    if platform.system() == "Linux" and os.geteuid() == 0:
        return
    installed = all(shutil.which(program) for program in ("prometheus", "promtool"))
    for item in items:
        if item.get_closest_marker("lab"):
            item.add_marker(pytest.mark.skip(reason=REASON_NO_LAB))
        if item.get_closest_marker("prometheus") and not installed:
            item.add_marker(pytest.mark.skip(reason=REASON_NO_PROMETHEUS))


def pytest_report_teststatus(report: pytest.TestReport | pytest.CollectReport) -> tuple[str, str, str] | None:
    """A failure's name among the dots, when it happens: a whole run's end is half an hour away."""
    if not report.failed:
        return None
    category = "failed" if getattr(report, "when", "") == "call" else "error"
    return category, f"\n{category.upper()} {report.nodeid}\n", category.upper()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The first lab tests that fail show the state of the machine; later ones would repeat it."""
    report = yield
    diagnosed = item.session.stash.setdefault(_DIAGNOSED, [])
    if report.failed and item.get_closest_marker("lab") and len(diagnosed) < DIAGNOSES:
        diagnosed.append(item.nodeid)
        report.sections.append(("The lab as it was after this test", diagnosis.of_the_lab(_place_of(item))))
    return report


def _place_of(item: pytest.Item) -> Place:
    """The box on which the test ran."""
    request: pytest.FixtureRequest | None = getattr(item, "_request", None)
    bare = request is not None and "bare_place" in request.fixturenames
    return request.getfixturevalue("bare_place") if request and bare else Place()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """The lines that a worker's tests have for the end of the session (tests/lab/rollback/conftest.py)."""
    _LINES.extend(getattr(node, "workeroutput", {}).get("lines", []))


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    for line in _LINES:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def progress(tmp_path_factory: pytest.TempPathFactory) -> Progress:
    return Progress(tmp_path_factory.mktemp("log"), out=io.StringIO())


@pytest.fixture(scope="session")
def bare_place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The place of `bare_box`."""
    return Place(tmp_path_factory.mktemp("vps"))


@pytest.fixture(scope="session")
def bare_box(bare_place: Place, progress: Progress) -> Iterator[Box]:
    """A box for this session in which nothing is deployed; the one of this clone belongs to the stories."""
    try:
        yield vps.up(bare_place, progress)
    finally:
        vps.down(bare_place, progress)
    assert vps.orphans(bare_place) == []


@pytest.fixture(scope="session")
def lab_stays() -> bool:
    """True where the repository's own box runs before the first test: it outlives the session."""
    return vps.status(Place()).stands


@pytest.fixture(scope="session")
def lab_box(lab_stays: bool, progress: Progress) -> Iterator[Box]:
    """The repository's own box: the one that runs already, else one for this session."""
    place = Place()
    yield vps.up(place, progress)
    if not lab_stays:
        sandbox.remove(progress)
        assert vps.orphans(place) == []
