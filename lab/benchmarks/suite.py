"""The time of `make test`: each tier's share of it, each story's, and the slowest tests and fixtures.

Owns: one run of every test, and these times out of pytest's own report of it.
Deliberately does not: take a figure of a run with a failed test.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console.errors import UserError
from console.paths import ROOT

KEY = "tests"
TAKEN_BY = "python -m lab.benchmarks tests"
SLOWEST = 25
PROPERTY = "fixture "
"""Begins the properties in which a test's report names the slow fixtures that it had to wait for."""

Suite = Mapping[str, Any]
Table = Callable[[Sequence[str], Sequence[Sequence[object]]], str]


@dataclass(frozen=True)
class Case:
    """One test of a run: its seconds with its fixtures, and theirs by name."""

    file: str
    name: str
    seconds: float
    fixtures: Mapping[str, float]
    skipped: bool = False

    @classmethod
    def of(cls, test: str, seconds: float, fixtures: Mapping[str, float]) -> Case:
        file, _, name = test.partition("::")
        return cls(file, name, seconds, fixtures)

    @property
    def tier(self) -> str:
        return self.file.split("/")[1]

    @property
    def story(self) -> str:
        """Its folder, no deeper than two levels below tests/."""
        return "/".join(self.file.split("/")[:-1][:3])


def take() -> dict[str, Any]:
    """{"seconds", "tiers", "stories", "slowest"}; raises UserError when a test fails."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "junit.xml"
        began = time.monotonic()
        arguments = f"ARGS=--numprocesses 2 --junitxml={report}"
        done = subprocess.run(["make", "test", arguments], cwd=ROOT, stdout=sys.stderr, check=False)
        seconds = time.monotonic() - began
        if done.returncode:
            raise UserError("make test failed, so no figure is taken: fix that, then run again.")
        found = cases(report.read_text(encoding="utf-8"))
        return {
            "seconds": round(seconds, 1),
            "tiers": tiers(found),
            "stories": stories(found),
            "slowest": slowest(found),
        }


def cases(report: str) -> list[Case]:
    """Every test of a junit report."""
    found: list[Case] = []
    for case in xml.fromstring(report).iter("testcase"):
        noted = {one.attrib["name"]: float(one.attrib["value"]) for one in case.iter("property")}
        fixtures = {name: value for name, value in noted.items() if name.startswith(PROPERTY)}
        file = _file_of(case.attrib["classname"].split("."))
        skipped = case.find("skipped") is not None
        found.append(Case(file, case.attrib["name"], float(case.attrib["time"]), fixtures, skipped))
    return found


def _file_of(names: Sequence[str]) -> str:
    """The file of a dotted name, which may go on with a class."""
    module = next(at for at, name in enumerate(names, 1) if name.startswith("test_"))
    return f"{'/'.join(names[:module])}.py"


def tiers(found: Iterable[Case]) -> dict[str, dict[str, float]]:
    """Each folder below tests/ with its tests, how many of them were skipped, and their seconds."""
    return _summed((case.tier, case) for case in found)


def stories(found: Iterable[Case]) -> dict[str, dict[str, float]]:
    """The same by story, the longest first."""
    summed = _summed((case.story, case) for case in found)
    return dict(sorted(summed.items(), key=lambda one: -one[1]["seconds"]))


def slowest(found: Iterable[Case], count: int = SLOWEST) -> list[tuple[str, float]]:
    """The slowest tests, without their fixtures' time, and fixtures."""
    rows: list[tuple[str, float]] = []
    for case in found:
        rows.append((f"{case.file}::{case.name}", round(max(0.0, case.seconds - sum(case.fixtures.values())), 1)))
        rows += [(name, round(value, 1)) for name, value in case.fixtures.items()]
    return sorted(rows, key=lambda row: -row[1])[:count]


def _summed(named: Iterable[tuple[str, Case]]) -> dict[str, dict[str, float]]:
    summed: dict[str, dict[str, float]] = {}
    for name, case in named:
        one = summed.setdefault(name, {"tests": 0, "skipped": 0, "seconds": 0.0})
        one["tests"] += 1
        one["skipped"] += case.skipped
        one["seconds"] = round(one["seconds"] + case.seconds, 1)
    return dict(sorted(summed.items()))


def tier_times(suite: Suite, table: Table) -> str:
    """One row a tier, and the whole run."""
    rows = [
        (f"`tests/{name}`", tier["tests"], tier["skipped"], _minutes(tier["seconds"]))
        for name, tier in suite["tiers"].items()
    ]
    head = ("tier", "tests", "skipped", "time")
    whole = f"`make test`, from its first line to its last: {_minutes(suite['seconds'])}. Two workers share it."
    return f"{table(head, rows)}\n{whole}\n"


def story_times(suite: Suite, table: Table) -> str:
    """One row a story."""
    rows = [(f"`{name}`", story["tests"], _minutes(story["seconds"])) for name, story in suite["stories"].items()]
    return table(("story", "tests", "time"), rows)


def slowest_tests(suite: Suite, table: Table) -> str:
    """One row a test or a fixture."""
    return table(("s", "test or fixture"), [(f"{seconds:.0f}", f"`{name}`") for name, seconds in suite["slowest"]])


def _minutes(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


TABLES: Mapping[str, Callable[[Suite, Table], str]] = {
    "tier_times": tier_times,
    "story_times": story_times,
    "slowest_tests": slowest_tests,
}
