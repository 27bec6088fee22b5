"""The moments at which a container may be paused."""

from __future__ import annotations

from typing import Any

import pytest

from hostctl.core.timestamps import seconds_of
from hostctl.handover import safe_pause


def at(seconds: float) -> str:
    return f"2026-11-27T12:00:{seconds:012.9f}Z"


ZERO = seconds_of(at(0))


def inspected(started: float, *ended: float, interval: float = 30, health: bool = True) -> dict[str, Any]:
    return {
        "State": {"StartedAt": at(started), "Health": {"Log": [{"End": at(end)} for end in ended]} if health else None},
        "Config": {"Healthcheck": {"Test": ["CMD", "true"], "Interval": int(interval * 1e9)} if health else None},
    }


def event(action: str, seconds: float, identifier: str = "a") -> dict[str, Any]:
    return {
        "Action": action,
        "timeNano": int((ZERO + seconds) * 1e9),
        "Actor": {"Attributes": {"execID": identifier}},
    }


@pytest.mark.parametrize(
    ("found", "events", "now", "due"),
    [
        (inspected(0, health=False), [], 30, False),
        (inspected(0), [], 28.5, False),
        (inspected(0), [], 29.5, True),
        (inspected(0), [], 31, True),
        # A probe that is three seconds late is at work, or is none.
        (inspected(0), [], 33.5, False),
        (inspected(0, 20.5), [], 30, False),
        (inspected(0, 2, 20.5), [], 50, True),
        (inspected(0, 2), [event("unpause", 25)], 32, False),
        (inspected(0, 2), [event("unpause", 25)], 54.5, True),
        (inspected(0, 10, interval=0.4), [], 10.1, False),
        (inspected(0, 10, interval=0.4), [], 10.3, True),
    ],
)
def test_a_probe_is_due_an_interval_after_the_last_or_a_start_or_an_unpause(
    found: dict[str, Any], events: list[dict[str, Any]], now: float, due: bool
) -> None:
    assert safe_pause.probe_due(found, events, ZERO + now) is due


def test_a_command_begins_for_three_seconds_or_until_it_has_ended() -> None:
    events = [
        event("exec_start: /bin/old", 1, "old"),
        event("exec_start: /bin/sh -c true", 8, "ended"),
        event("exec_start: /bin/sh", 9, "young"),
        event("exec_die", 9.1, "ended"),
    ]
    assert safe_pause.beginning(events, ZERO + 10) == {"young"}
