"""Backups without a database: which count, which are kept, and that a failure leaves nothing."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostctl.core import requests
from hostctl.core.errors import Refusal
from hostctl.host import free_space
from hostctl.nightly import backup, backup_catalog
from hostctl.nightly.backup_catalog import Backup
from hostctl.nightly.request import Keep, Marks, NightlyRequest
from hostctl.postgres import dump_file
from hostctl.postgres.psql import Counts, Database
from tests.unit.hostctl.nightly.request import nightly_request

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
KEEP = Keep(daily=2, weekly=1, monthly=1)
CONTENT = b"PGDMP" + bytes(1000)


@pytest.fixture
def request_(tmp_path: Path) -> NightlyRequest:
    return replace(nightly_request(tmp_path), keep=KEEP, prometheus=Marks(str(tmp_path), "127.0.0.1:9090"))


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that dumps CONTENT, and a pg_restore that reads whatever there is."""

    def dumped(_: Database, out: BinaryIO) -> Counts:
        out.write(CONTENT)
        return Counts({"public.audit_log": 3}, "2026-11-26T03:00:00+00:00")

    def read_back(*_: object) -> str:
        return ""

    def runs(*_: object, **__: object) -> str:
        return ""

    monkeypatch.setattr(Database, "run", runs)
    monkeypatch.setattr(Database, "connect", lambda *_: Database(None, "c", "sentinel", "sentinel", "i", 999))  # type: ignore[arg-type]
    monkeypatch.setattr(backup, "dumped", dumped)
    monkeypatch.setattr(dump_file, "read_back", read_back)


def taken_at(folder: Path, *moments: datetime) -> list[Path]:
    """Good backups of these moments."""
    folder.mkdir(exist_ok=True)
    paths = [folder / backup_catalog.name_at(moment) for moment in moments]
    for path in paths:
        path.write_bytes(CONTENT)
        backup_catalog.write_facts(str(path), {"sha256": dump_file.digest(str(path)), "bytes": len(CONTENT)})
    return paths


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def metrics(tmp_path: Path) -> dict[str, float]:
    lines = (tmp_path / "nightly.txt").read_text().splitlines()
    return {line.split()[0]: float(line.split()[1]) for line in lines if not line.startswith("#")}


def test_a_backup_is_private_and_says_what_it_holds(request_: NightlyRequest, database: None, tmp_path: Path) -> None:
    said = backup.take(request_)
    path = Path(said["file"])
    assert path.read_bytes() == CONTENT
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
    facts = json.loads(path.with_name(f"{path.name}.json").read_text())
    assert facts["rows"] == {"public.audit_log": 3} and facts["newest"] == "2026-11-26T03:00:00+00:00"
    assert facts["sha256"] == dump_file.digest(str(path)) and facts["bytes"] == len(CONTENT)
    assert listed(path.parent) == [path.name, f"{path.name}.json"]
    found = metrics(tmp_path)
    assert found["sentinel_backup_last_try_good"] == 1
    assert abs(found["sentinel_backup_last_good_timestamp_seconds"] - time.time()) < 60


def test_old_ones_go_only_after_a_good_new_one(request_: NightlyRequest, database: None, tmp_path: Path) -> None:
    folder, now = tmp_path / "backups", datetime.now(UTC)
    old = taken_at(folder, *(now - timedelta(days=days, minutes=1) for days in range(1, 100)))
    removed = backup.take(request_)["removed"]
    left = {one.path for one in backup_catalog.found(str(folder))}
    assert {path.name for path in old} == set(removed) | {path.name for path in old if str(path) in left}
    assert len(left) <= 4 and len(removed) >= 96


def test_a_backup_dated_ahead_is_never_the_newest_and_stays(
    request_: NightlyRequest, database: None, tmp_path: Path
) -> None:
    """The clock was a year ahead for a while."""
    folder, now = tmp_path / "backups", datetime.now(UTC)
    (ahead,) = taken_at(folder, now + timedelta(days=365))
    assert backup_catalog.newest_good(str(folder)) is None
    made = backup.take(replace(request_, keep=Keep(1, 0, 0)))
    found = backup_catalog.newest_good(str(folder))
    assert found is not None and found.path == made["file"] and ahead.exists()
    assert metrics(tmp_path)["sentinel_backup_last_good_timestamp_seconds"] < time.time() + 60


def test_the_one_just_taken_stays_whatever_the_others_dates_say(
    request_: NightlyRequest, database: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock is a year behind: every other backup counts as one of the future."""
    folder = tmp_path / "backups"
    others = taken_at(folder, *(datetime.now(UTC) - timedelta(days=days) for days in range(1, 4)))
    behind = datetime.now(UTC) - timedelta(days=365)
    monkeypatch.setattr(backup_catalog, "name_at", lambda _, at=backup_catalog.name_at: at(behind))  # type: ignore[reportUnknownLambdaType]
    made = backup.take(replace(request_, keep=Keep(1, 0, 0)))
    assert Path(made["file"]).exists() and others[0].exists()


def test_no_dump_begins_without_room_for_half_as_much_again(
    request_: NightlyRequest, database: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (former,) = taken_at(tmp_path / "backups", NOON - timedelta(days=1))
    backup_catalog.write_facts(str(former), {"bytes": 100 << 20})
    full = SimpleNamespace(f_bavail=149, f_frsize=1 << 20)
    monkeypatch.setattr(free_space.os, "statvfs", lambda _: full)  # type: ignore[reportUnknownLambdaType]
    with pytest.raises(Refusal, match="has 149 MB free, and 150 MB are needed for a dump like the last one: make room"):
        backup.take(request_)
    monkeypatch.setattr(free_space.os, "statvfs", lambda _: SimpleNamespace(f_bavail=150, f_frsize=1 << 20))  # type: ignore[reportUnknownLambdaType]
    assert backup.take(request_)["result"] == "good"


def fails_to_dump(*_: Any) -> Counts:
    raise Refusal("pg_dump failed (its container ended)")


def fills_the_disk(*_: Any) -> Counts:
    raise OSError(28, "No space left on device", None)


def ends_early(*_: object) -> str:
    return "unexpected end of file"


@pytest.mark.parametrize(
    ("part", "failing", "reason"),
    [
        ("dumped", fails_to_dump, "its container ended"),
        ("dumped", fills_the_disk, "No space left on device): make room"),
        ("read_back", ends_early, "cannot be read back (unexpected end of file)"),
    ],
    ids=["cut-off", "full-disk", "unreadable"],
)
def test_what_fails_leaves_every_old_one_and_no_new_file(
    request_: NightlyRequest,
    database: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    part: str,
    failing: Any,
    reason: str,
) -> None:
    folder = tmp_path / "backups"
    taken_at(folder, *(NOON - timedelta(days=days) for days in range(30)))
    before = listed(folder)
    monkeypatch.setattr(dump_file if part == "read_back" else backup, part, failing)
    with pytest.raises(Refusal, match="no backup was taken") as refused:
        backup.take(request_)
    assert reason in str(refused.value) and "earlier backups are kept" in str(refused.value)
    assert listed(folder) == before
    noted = json.loads((Path(request_.folder) / "backup.json").read_text())
    assert noted["result"] == "failed" and reason in noted["reason"]
    assert noted["last_good"]["at"] == "2026-11-26T12:00:00Z"
    assert metrics(tmp_path) == {
        "sentinel_backup_last_try_good": 0,
        "sentinel_backup_last_good_timestamp_seconds": NOON.timestamp(),
        "sentinel_backup_last_bytes": len(CONTENT),
    }


def test_what_lies_on_the_disk_must_be_what_was_written(
    request_: NightlyRequest, database: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flips_a_bit(engine: object, image: str, path: str) -> str:
        content = bytearray(Path(path).read_bytes())
        content[500] ^= 1
        Path(path).write_bytes(content)
        return ""

    monkeypatch.setattr(dump_file, "read_back", flips_a_bit)
    with pytest.raises(Refusal, match="checksum mismatch of the new dump in "):
        backup.take(request_)
    assert listed(tmp_path / "backups") == []


def test_what_a_killed_run_left_is_cleared_and_nothing_else(
    request_: NightlyRequest, database: None, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    left = [".sentinel-20261125T031700Z.dump.partial", "sentinel-20261125T031700Z.dump.json"]
    theirs = ["mcp-2026-11-25.sql", "sentinel-notes.json", "x.partial"]
    for name in (*left, *theirs):
        (folder / name).write_text("{}")
    made = Path(backup.take(request_)["file"]).name
    assert listed(folder) == sorted([made, f"{made}.json", *theirs])


def test_a_backup_that_a_restore_proved_bad_counts_no_more(request_: NightlyRequest, tmp_path: Path) -> None:
    older, newer = taken_at(tmp_path / "backups", NOON - timedelta(days=1), NOON)
    backup_catalog.write_facts(str(newer), {"restores": False})
    found = backup_catalog.newest_good(str(tmp_path / "backups"))
    assert found is not None and found.path == str(older)


def test_a_stopped_database_is_one_sentence(run: Any, request_: NightlyRequest, tmp_path: Path) -> None:
    """Here no engine answers at all; the stopped container is the lab's."""
    done = run("backup", "take", document=requests.write(request_))
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    assert "no backup was taken: the Docker engine at /nowhere.sock did not answer" in said
    assert said.endswith("(docs/runbook.md#hostctl-backup-take)")
    assert listed(tmp_path / "backups") == []


def backups(*moments: datetime) -> list[Backup]:
    return [Backup(f"/b/{backup_catalog.name_at(moment)}", moment, {}) for moment in moments]


def test_days_weeks_and_months_are_kept_as_requested() -> None:
    """A year of backups, the last one on Thursday 2026-11-26."""
    year = backups(*(NOON - timedelta(days=days) for days in range(365)))
    stay = backup_catalog.kept(year, Keep(daily=7, weekly=4, monthly=6))
    days = sorted(one.at.strftime("%m-%d") for one in year if one.path in stay)
    assert days == ["06-30", "07-31", "08-31", "09-30", "10-31"] + ["11-08", "11-15"] + [
        f"11-{day}" for day in range(20, 27)
    ]  # fmt: skip


def test_a_bad_one_takes_nobodys_place_and_the_newest_proven_one_stays() -> None:
    """Four of one day: 6 h has been restored, 9 h was found bad, 12 h is new."""
    proven, bad, new = {"restores": True}, {"restores": False}, {}
    found = [
        Backup(f"/b/{hour}", NOON.replace(hour=hour), facts)
        for hour, facts in ((3, {}), (6, proven), (9, bad), (12, new))
    ]
    assert backup_catalog.kept(found, Keep(1, 0, 0)) == {"/b/6", "/b/12"}
    assert backup_catalog.kept(found[:3], Keep(1, 0, 0)) == {"/b/6", "/b/9"}


@given(st.sets(st.integers(0, 400), min_size=1), st.integers(1, 10), st.integers(0, 6), st.integers(0, 6))
def test_the_newest_always_stays_and_never_more_than_requested(
    ages: set[int], daily: int, weekly: int, monthly: int
) -> None:
    found = backups(*(NOON - timedelta(hours=9 * age) for age in ages))
    stay = backup_catalog.kept(found, Keep(daily, weekly, monthly))
    assert max(found, key=lambda one: one.at).path in stay
    assert len(stay) <= daily + weekly + monthly
    assert backup_catalog.kept([one for one in found if one.path in stay], Keep(daily, weekly, monthly)) == stay


def test_a_second_run_at_once_is_refused_with_the_first_ones_name(run: Any, request_: NightlyRequest) -> None:
    from hostctl.core.lock import held

    with held(request_.folder, "nightly run"):
        done = run("backup", "take", document=requests.write(request_))
    assert done.returncode == 1 and "nightly run, since" in done.stderr and str(os.getpid()) in done.stderr
