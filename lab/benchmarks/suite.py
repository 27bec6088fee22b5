"""The time of `make test`, and each tier's share of it.

Owns: one run of every test, and the tiers' times out of pytest's own report of it.
Deliberately does not: take a figure of a run with a failed test.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from console.errors import UserError
from console.paths import ROOT

KEY = "tests"
TAKEN_BY = "python -m lab.benchmarks tests"

Suite = Mapping[str, Any]
Table = Callable[[Sequence[str], Sequence[Sequence[object]]], str]


def take() -> dict[str, Any]:
    """{"seconds", "tiers": {folder: {"tests", "skipped", "seconds"}}}; raises UserError when a test fails."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "junit.xml"
        began = time.monotonic()
        done = subprocess.run(["make", "test", f"ARGS=--junitxml={report}"], cwd=ROOT, stdout=sys.stderr, check=False)
        seconds = time.monotonic() - began
        if done.returncode:
            raise UserError("make test failed, so no figure is taken: fix that, then run again.")
        return {"seconds": round(seconds, 1), "tiers": tiers(report.read_text(encoding="utf-8"))}


def tiers(report: str) -> dict[str, dict[str, float]]:
    """Each folder below tests/ with its tests, how many of them were skipped, and their seconds."""
    found: dict[str, dict[str, float]] = {}
    for case in xml.fromstring(report).iter("testcase"):
        tier = found.setdefault(case.attrib["classname"].split(".")[1], {"tests": 0, "skipped": 0, "seconds": 0.0})
        tier["tests"] += 1
        tier["skipped"] += case.find("skipped") is not None
        tier["seconds"] = round(tier["seconds"] + float(case.attrib["time"]), 1)
    return dict(sorted(found.items()))


def tier_times(suite: Suite, table: Table) -> str:
    """One row a tier, and the whole run."""
    rows = [
        (f"`tests/{name}`", tier["tests"], tier["skipped"], _minutes(tier["seconds"]))
        for name, tier in suite["tiers"].items()
    ]
    head = ("tier", "tests", "skipped", "time")
    return f"{table(head, rows)}\n`make test`, from its first line to its last: {_minutes(suite['seconds'])}.\n"


def _minutes(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


TABLES: Mapping[str, Callable[[Suite, Table], str]] = {"tier_times": tier_times}
