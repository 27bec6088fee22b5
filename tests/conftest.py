"""The fixtures of every group of tests: the box of this clone, brought up for the session where it does not run yet."""

from __future__ import annotations

import io
import os
import platform
import shutil
import signal
from collections.abc import Generator, Iterator

import pytest

from console.progress import Progress
from lab import box as vps
from lab import sandbox
from lab.box import Box, Place
from tests.lab import diagnosis

REASON_NO_PROMETHEUS = "prometheus and promtool are not in PATH, and only root can make the lab's image that holds them"
REASON_NO_LAB = "a box needs Linux and root; run the tests as root"
DIAGNOSES = 3
_DIAGNOSED = pytest.StashKey[list[str]]()


def pytest_configure() -> None:
    """Ctrl-C counts, for the children too: a shell that starts the tests in the background has it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The first lab tests that fail show the state of the machine; later ones would repeat it."""
    report = yield
    diagnosed = item.session.stash.setdefault(_DIAGNOSED, [])
    if report.failed and item.get_closest_marker("lab") and len(diagnosed) < DIAGNOSES:
        diagnosed.append(item.nodeid)
        report.sections.append(("The lab as it was after this test", diagnosis.of_the_lab(Place())))
    return report


@pytest.fixture(scope="session")
def progress(tmp_path_factory: pytest.TempPathFactory) -> Progress:
    return Progress(tmp_path_factory.mktemp("log"), out=io.StringIO())


@pytest.fixture(scope="session")
def lab_box(progress: Progress) -> Iterator[Box]:
    """The repository's own box: the one that runs already, else one for this session."""
    place = Place()
    seen = vps.status(place)
    if seen.box is not None and seen.stands:
        yield seen.box
        return
    yield vps.up(place, progress)
    sandbox.remove(progress)
    assert vps.orphans(place) == []
