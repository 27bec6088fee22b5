"""The operator's own command gets each new backup, and its failure is the nightly job's."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hostctl.core.errors import Refusal
from hostctl.nightly import backup_catalog, copy_away
from hostctl.nightly.request import NightlyRequest
from tests.unit.hostctl.nightly.request import nightly_request
from tests.unit.hostctl.nightly.test_backup import taken_at


@pytest.fixture
def job(tmp_path: Path) -> NightlyRequest:
    (tmp_path / "marks").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "else where").mkdir()
    return nightly_request(tmp_path)


def metric(tmp_path: Path) -> float:
    lines = (tmp_path / "marks" / "nightly.txt").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{copy_away.METRIC} "))


def test_the_command_gets_the_newest_dump_and_its_facts(job: NightlyRequest, tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    taken_at(tmp_path / "backups", now - timedelta(days=1))
    (newest,) = taken_at(tmp_path / "backups", now)
    command = f'cp "$1" "{tmp_path}/else where/"'
    assert copy_away.step(replace(job, copy_to=command)) == {"result": "done", "file": str(newest)}
    assert sorted(path.name for path in (tmp_path / "else where").iterdir()) == [newest.name, f"{newest.name}.json"]
    assert metric(tmp_path) == now.timestamp()


def test_without_a_command_nothing_is_copied_and_nothing_is_reported(job: NightlyRequest, tmp_path: Path) -> None:
    assert copy_away.step(job)["result"] == "skipped"
    assert not (Path(job.folder) / "copy.json").exists()


def test_a_command_that_fails_gives_its_own_reason_and_keeps_the_time_of_the_last_copy(
    job: NightlyRequest, tmp_path: Path
) -> None:
    earlier = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    taken_at(tmp_path / "backups", earlier)
    copy_away.step(replace(job, copy_to=f'cp "$1" {tmp_path}/elsewhere/'))
    taken_at(tmp_path / "backups", datetime.now(UTC))
    failing = replace(job, copy_to='echo connecting; echo "quota of $1 exceeded" >&2; exit 3')
    with pytest.raises(Refusal, match=r"nightly.copy_to failed with .*\.dump \(quota of .*\.dump exceeded\)"):
        copy_away.step(failing)
    assert metric(tmp_path) == earlier.timestamp()
    noted = json.loads((Path(job.folder) / "copy.json").read_text())
    assert noted["result"] == "failed" and "quota" in noted["reason"]


def test_a_command_that_never_succeeded_is_as_old_as_time(job: NightlyRequest, tmp_path: Path) -> None:
    taken_at(tmp_path / "backups", datetime.now(UTC))
    with pytest.raises(Refusal, match="exit code 3"):
        copy_away.step(replace(job, copy_to='test "$1" = nothing || exit 3'))
    assert metric(tmp_path) == 0


def test_a_backup_dated_ahead_is_not_the_one_that_is_copied(job: NightlyRequest, tmp_path: Path) -> None:
    taken_at(tmp_path / "backups", datetime.now(UTC) + timedelta(days=365))
    assert backup_catalog.newest_good(str(tmp_path / "backups")) is None
    with pytest.raises(Refusal, match="there is no backup in"):
        copy_away.step(replace(job, copy_to='cp "$1" /nowhere'))
