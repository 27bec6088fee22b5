"""The downtime that a handover answers, also where an earlier run of it was killed."""

from __future__ import annotations

from typing import Any

from hostctl.core.timestamps import now
from hostctl.handover.goal import Goal
from hostctl.handover.journal import Entry, Journal
from hostctl.handover.report import figures
from hostctl.handover.scenarios import REQUEST
from hostctl.handover.window import Window

MOMENTS = (10.0, 10.05, 10.1, 10.12)


def downtime(*killed_run: dict[str, Any], at: str = now()) -> dict[str, Any]:
    """The figures, `killed_run` being the lines that a killed run journaled before."""
    entry = Entry(Journal("/nowhere"), {"verb": "cutover", "from": {"name": "forge"}}, list(killed_run))
    window = Window.resuming(entry)
    window.began, window.released, window.connected, window.answered = MOMENTS
    window.answered_at = at
    return figures(entry, REQUEST, Goal("sentinel", "1", "gateway"), window)


def test_a_run_that_was_not_killed_counts_its_own_moments() -> None:
    assert downtime()["downtime_ms"] == 120
    assert downtime()["parts"] == {"release_ms": 50, "connect_ms": 50, "answer_ms": 20}


def test_one_that_was_killed_before_its_answer_counts_from_its_release_to_this_runs_answer() -> None:
    released = {"point": "cutover.release.disconnect", "at": "2026-11-24T10:00:00.100Z"}
    assert downtime(released, at="2026-11-24T10:01:00.100Z")["downtime_ms"] == 60_000


def test_one_that_was_killed_after_its_answer_counts_up_to_that_however_much_later_it_is_ended() -> None:
    released = {"point": "cutover.release.disconnect", "at": "2026-11-24T10:00:00.100Z"}
    answered = {"point": "cutover.finish.connect", "at": "2026-11-24T10:00:00.400Z"}
    assert downtime(released, answered, at="2026-11-24T10:01:00.100Z")["downtime_ms"] == 300
