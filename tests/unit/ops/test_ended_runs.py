"""A lock that this clone's own run left: known by process, machine and moment, and by nothing less."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ops.engine import ended_runs
from ops.engine.locks import Lock


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lock:
    """The lock of a run that has just been seen to its end."""
    monkeypatch.setattr(ended_runs, "WORK", tmp_path)
    ended_runs.note(os.getpid(), time.time() - 5)
    return Lock("root", socket.gethostname(), os.getpid(), moment(0))


def moment(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_the_lock_of_a_run_that_was_seen_to_its_end_is_known(lock: Lock) -> None:
    assert ended_runs.has(lock)


@pytest.mark.parametrize("seconds", [-60, 60], ids=["before its start", "after its end"])
def test_a_lock_of_another_moment_is_somebody_elses(lock: Lock, seconds: float) -> None:
    assert not ended_runs.has(replace(lock, since=moment(seconds)))


def test_a_lock_of_another_machine_or_process_is_somebody_elses(lock: Lock) -> None:
    assert not ended_runs.has(replace(lock, machine="another-machine"))
    assert not ended_runs.has(replace(lock, pid=lock.pid + 1))
    assert not ended_runs.has(replace(lock, since="unreadable"))


def test_only_the_newest_runs_are_kept(lock: Lock) -> None:
    for number in range(1, 80):
        ended_runs.note(number, time.time())
    kept = {int(file.name) for file in (ended_runs.WORK / "ended-runs").iterdir()}
    assert len(kept) == 50 and 79 in kept
