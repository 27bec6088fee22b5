"""The downtime that a handover answers, also where an earlier run of it was killed."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, cast

from hostctl.handover.journal import Entry, Journal
from hostctl.handover.port_owner import Goal
from hostctl.handover.report import figures
from hostctl.handover.request import Request

MOMENTS = (10.0, 10.05, 10.1, 10.12)


def told(*earlier: dict[str, Any] | None, folder: str = "/nowhere") -> dict[str, Any]:
    entry = Entry(Journal(folder), {"verb": "cutover", "from": {"name": "forge"}})
    request = cast(Request, SimpleNamespace(release="pause"))
    released, answered = earlier
    return figures(entry, request, Goal("sentinel", "1", "gateway"), MOMENTS, released, answered)


def test_a_run_that_was_not_killed_counts_its_own_moments() -> None:
    assert told(None, None)["downtime_ms"] == 120
    assert told(None, None)["parts"] == {"release_ms": 50, "connect_ms": 50, "answer_ms": 20}


def test_one_that_was_killed_before_its_answer_counts_from_its_release_to_now() -> None:
    at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - 60))
    assert 59_000 < told({"at": at}, None)["downtime_ms"] < 70_000


def test_one_that_was_killed_after_its_answer_counts_up_to_that_however_much_later_it_is_ended() -> None:
    released = {"at": "2026-11-24T10:00:00.100Z"}
    assert told(released, {"at": "2026-11-24T10:00:00.400Z"})["downtime_ms"] == 300
