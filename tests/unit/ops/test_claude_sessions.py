"""Open Claude Code sessions, as `up`, `rollback`, `status` and the report list them."""

from __future__ import annotations

from ops.engine import claude_sessions

ON = {"pid": 1, "since": "2026-11-29T12:03:04Z", "folder": "/home/op/a", "goes_on": True, "reason": ""}
OFF = {
    "pid": 2,
    "since": "2026-11-29T12:04:05Z",
    "folder": "/home/op/b",
    "goes_on": False,
    "reason": "its token is old",
}


def test_the_sessions_are_counted_and_each_that_needs_a_person_is_named() -> None:
    assert claude_sessions.lines([ON, ON, OFF]) == [
        "sessions   3 are open: 2 go on, 1 needs a restart",
        "           restart process 2 in /home/op/b, open since 2026-11-29 12:04 UTC: its token is old",
    ]
    assert claude_sessions.lines([ON]) == ["sessions   1 is open: 1 goes on"]
    assert claude_sessions.lines([]) == ["sessions   none is open"]


def test_a_host_that_cannot_list_them_stops_nothing() -> None:
    assert claude_sessions.lines(None) == ["sessions   unknown: the host could not list Claude's processes"]
