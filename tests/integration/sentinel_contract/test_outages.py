"""The outages with which the alerts are tested: the gateway under test shows the same metrics and log lines in each."""

from __future__ import annotations

import re
from pathlib import Path

from tests.integration.alerts import outages
from tests.integration.bridge.postgres import Database


def test_the_gateway_under_test_counts_and_logs_what_was_recorded(database: Database, tmp_path: Path) -> None:
    found = outages.bring_about(list(outages.OUTAGES), tmp_path, database)
    for name, recorded in outages.recorded().items():
        for moment in ("before", "after"):
            assert _counts(name, found[name][moment]) == _counts(name, recorded[moment]), name
        assert _said(found[name]["log"]) == _said(recorded["log"]), name


def _counts(outage: str, lines: list[str]) -> list[str]:
    """Without the histogram's sums and the buckets that are never the same twice."""
    # By chance the gateway hears of its child's end before the first call, which then waits for no limit.
    same = "_count" if outage == "dead_child" else '_count|le="10"'
    return sorted(line for line in lines if "_duration_" not in line or re.search(same, line))


def _said(lines: list[str]) -> set[str]:
    return {line.split(" error=")[0] for line in lines}
