"""The nightly job on real parts: backup, retention, restore drill, and the day when the backup is needed."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Generator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from dashboards import queries
from hostctl.core import requests
from hostctl.core.errors import Refusal
from hostctl.core.timestamps import seconds_of
from hostctl.nightly import backup, backup_catalog, restore_drill, results
from hostctl.nightly.request import NO_MARKS, NightlyRequest
from hostctl.postgres.psql import Counts, Database
from lab.benchmarks import retention
from lab.real.contextforge.services import SERVERS
from settings import Settings
from settings.limits import AUDIT_BATCH_ROWS
from tests.lab.cutover.conftest import Lab
from tests.lab.nightly.conftest import healthy, prometheus, rows

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]

OLD, YOUNG = 1230, 40
RECONNECTED_SECONDS = 90.0


def count(lab: Lab, where: str = "client_subject = 'test'") -> int:
    return int(lab.sql(f"SELECT count(*) FROM audit_log WHERE {where}"))


def newest(job: NightlyRequest) -> backup_catalog.Backup:
    return backup_catalog.found(job.backups)[0]


@pytest.fixture(scope="module")
def nightly_run(deployed: Lab, job: NightlyRequest) -> subprocess.CompletedProcess[str]:
    """A run by cron: the operator's own script, on the VPS."""
    Path(job.folder, f"{restore_drill.STEP}.json").unlink(missing_ok=True)
    rows(deployed, OLD, "30 days")
    rows(deployed, YOUNG, "29 days")
    return subprocess.run(deployed.on_host([job.script]), capture_output=True, text=True, timeout=180)


def test_the_nightly_job_runs_in_the_operators_script_and_every_step_is_done(
    nightly_run: subprocess.CompletedProcess[str], job: NightlyRequest
) -> None:
    assert (nightly_run.returncode, nightly_run.stderr) == (0, "")
    assert nightly_run.stdout == ""
    kept = results.noted(job, results.NIGHTLY)
    steps = {row["name"]: row["result"] for row in kept["steps"]}
    assert kept["ok"] is True
    assert {steps[name] for name in ("backup", "retention", "restore-drill")} == {"done"}


def test_retention_took_the_old_rows_only_and_they_are_in_the_backup(
    nightly_run: subprocess.CompletedProcess[str], deployed: Lab, job: NightlyRequest
) -> None:
    kept = results.noted(job, "retention")
    assert kept["removed"] == OLD and count(deployed) == YOUNG
    held = results.noted(job, "backup")["last_good"]
    assert held["rows"]["public.audit_log"] >= OLD + YOUNG
    tested = results.noted(job, "restore-drill")
    assert (tested["result"], tested["file"]) == ("good", held["file"])
    assert tested["rows"] == held["rows"] and tested["newest"] == held["newest"]


def test_prometheus_has_the_time_of_the_last_good_backup(
    nightly_run: subprocess.CompletedProcess[str], deployed: Lab, settings: Settings, job: NightlyRequest
) -> None:
    at = seconds_of(results.noted(job, "backup")["last_good"]["at"])
    prometheus(deployed, settings, queries.LAST_BACKUP, at)
    prometheus(deployed, settings, f"({queries.backup_age_hours()}) > bool 26", 0)


def test_a_backup_leaves_its_dump_alone_and_the_drill_nothing(deployed: Lab, job: NightlyRequest) -> None:
    found = newest(job)
    assert Path(found.path).stat().st_mode & 0o777 == 0o600
    names = {path.name for path in Path(job.backups).iterdir()}
    assert not [name for name in names if name.endswith(".partial")]
    assert deployed.docker("ps", "--all", "--quiet", "--filter", "label=sentinel-cutover.one-shot") == ""


@pytest.fixture
def corrupted(deployed: Lab, job: NightlyRequest) -> Generator[Path]:
    """Beside a good one of yesterday the newest backup with one bit flipped in the middle, as a disk may do it."""
    today = backup_catalog.at(backup.take(job)["file"])
    assert today is not None
    path = Path(today.path)
    yesterday = str(path.with_name(backup_catalog.name_at(today.at - timedelta(days=1))))
    shutil.copyfile(path, yesterday)
    backup_catalog.write_facts(yesterday, today.facts)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    yield path
    path.unlink()
    path.with_name(f"{path.name}.json").unlink()
    backup.report_again(job)


def test_a_corrupted_backup_is_bad_counts_no_more_and_is_not_restored(
    corrupted: Path, deployed: Lab, settings: Settings, job: NightlyRequest
) -> None:
    drill = deployed.ops("restore-drill")
    assert (drill["ok"], drill["result"]) == (False, "bad") and "checksum mismatch" in drill["reason"]
    prometheus(deployed, settings, "sentinel_restore_drill_good", 0)
    good = backup_catalog.newest_good(job.backups)
    assert good is not None and good.path != str(corrupted)
    prometheus(deployed, settings, queries.LAST_BACKUP, good.at.timestamp())
    refused = deployed.make("restore", "--from", corrupted.name)
    assert refused.returncode == 1 and "choose an older one" in refused.stderr


def test_a_backup_that_holds_other_rows_than_the_database_held_is_bad(
    nightly_run: subprocess.CompletedProcess[str], job: NightlyRequest
) -> None:
    found = newest(job)
    backup_catalog.write_facts(found.path, {**found.facts, "rows": {"public.audit_log": 1}})
    drill = restore_drill.run(job)
    assert drill["result"] == "bad" and "and the database held {'public.audit_log': 1}" in drill["reason"]
    backup_catalog.write_facts(found.path, found.facts)
    backup.report_again(job)


def test_without_a_backup_nothing_could_be_checked(job: NightlyRequest, tmp_path: Path) -> None:
    empty = replace(job, folder=str(tmp_path), backups=str(tmp_path / "none"), prometheus=NO_MARKS)
    drill = restore_drill.run(empty)
    assert drill["result"] == "could-not-check" and "run 'make backup'" in drill["reason"]


def cut(content: bytes) -> bytes:
    return content[: len(content) * 9 // 10]


def flipped(content: bytes) -> bytes:
    """One bit of the compressed rows, which lie at the end; `pg_restore --list` does not see it."""
    at = len(content) - 32
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize("damage", [cut, flipped])
def test_a_damaged_dump_is_no_backup(
    nightly_run: Any, job: NightlyRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Any
) -> None:
    whole = backup.dumped

    def damaged(database: Database, out: BinaryIO) -> Counts:
        beside = tmp_path / "whole"
        with beside.open("wb") as file:
            counts = whole(database, cast(Any, file))
        out.write(damage(beside.read_bytes()))
        return counts

    monkeypatch.setattr(backup, "dumped", damaged)
    with pytest.raises(Refusal, match="cannot be read back"):
        backup.take(replace(job, folder=str(tmp_path), backups=str(tmp_path / "b"), prometheus=NO_MARKS))
    assert list((tmp_path / "b").iterdir()) == []


def test_a_full_disk_leaves_the_old_backups_and_the_audit_log_whole(
    deployed: Lab, job: NightlyRequest, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    rows(deployed, 2000, "31 days")
    before = count(deployed)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(small)], check=True)
    try:
        changed = replace(job, folder=str(tmp_path / "nightly"), backups=str(small), prometheus=NO_MARKS)
        done = subprocess.run(
            ["python3", "-I", "-S", job.program, "nightly", "run"],
            input=json.dumps(requests.write(changed)),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 1 and "No space left on device" in done.stderr
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert count(deployed) == before
    deployed.sql("DELETE FROM audit_log WHERE client_subject = 'test' AND \"timestamp\" < now() - interval '30 days'")


def test_a_stopped_database_is_reported_and_old_backups_stay(deployed: Lab, job: NightlyRequest) -> None:
    before = backup_catalog.found(job.backups)
    deployed.docker("stop", "sentinel-postgres")
    try:
        done = deployed.make("backup")
    finally:
        deployed.docker("start", "sentinel-postgres")
        healthy(deployed, "sentinel-postgres")
    assert done.returncode == 1 and "the container sentinel-postgres does not run" in done.stderr
    assert backup_catalog.found(job.backups) == before
    assert results.noted(job, "backup")["result"] == "failed"
    assert deployed.ops("backup")["ok"] is True


def test_a_restore_brings_back_what_was_and_keeps_what_is(
    nightly_run: subprocess.CompletedProcess[str], deployed: Lab, settings: Settings, job: NightlyRequest
) -> None:
    """The gateway is called all the while, and writes its rows into the restored database afterwards."""
    backup.take(job)
    chosen = newest(job)
    deployed.sql("DELETE FROM audit_log WHERE client_subject = 'test'")
    with retention.calling(deployed.box, settings) as calls:
        restored = deployed.ops("restore", "--from", chosen.name)
    assert restored["ok"] is True and restored["compared"] is True and restored["after"]["rows"] == chosen.facts["rows"]
    assert calls.bad == 0 and len(calls.ms) > 10
    assert count(deployed) == YOUNG
    owner = (
        "SELECT tableowner, rolsuper FROM pg_tables JOIN pg_roles ON rolname = tableowner WHERE tablename = 'audit_log'"
    )
    assert deployed.sql(owner) == "sentinel|f", (
        "the gateway has its restored table, and no more of the server than before"
    )
    kept = restored["kept"]
    held = deployed.docker(
        "exec", "sentinel-postgres", "psql", "-qtAX", "-h", "/run/postgresql", "-U", "sentinel", "-d", kept, "-c",
        "SELECT count(*) FROM audit_log WHERE client_subject = 'test'",
    )  # fmt: skip
    assert held == "0"
    before = count(deployed, "client_subject <> 'test'")
    end = time.monotonic() + RECONNECTED_SECONDS
    # The gateway may lose the row of the call at which it finds that its connection has ended.
    while count(deployed, "client_subject <> 'test'") == before:
        assert time.monotonic() < end, "the gateway writes no row into the restored database"
        with retention.calling(deployed.box, settings) as calls:
            pass
        assert calls.bad == 0
    deployed.docker("exec", "sentinel-postgres", "dropdb", "-h", "/run/postgresql", "-U", "sentinel", kept)


def test_the_table_stops_growing_and_calls_are_answered_while_rows_go(
    deployed: Lab, settings: Settings, database: Database
) -> None:
    """Small: `python -m lab.benchmarks retention` does it with a million rows, and times it."""
    theirs = count(deployed, f"client_subject <> '{retention.MARK}'")
    try:
        with retention.calling(deployed.box, settings) as calls:
            sizes = retention.months(database, 5, 10_000, AUDIT_BATCH_ROWS, print)
        # The calls' own rows come on top, and indexes need a round to finish; unbounded it would be 5/3.
        assert sizes[0] < sizes[-1] <= sizes[2] * 1.15, sizes
        assert count(deployed, f"client_subject = '{retention.MARK}'") == 10_000
        assert calls.bad == 0 and len(calls.ms) > 10
    finally:
        retention.clean(database)
    assert count(deployed, f"client_subject <> '{retention.MARK}'") >= theirs


def test_the_rollback_is_proven_by_the_nightly_job_and_by_hand_until_a_gate_fails(
    deployed: Lab, settings: Settings, job: NightlyRequest
) -> None:
    def run_now() -> subprocess.CompletedProcess[str]:
        argv = deployed.on_host(["python3", "-I", "-S", job.program, "nightly", "run"])
        document = json.dumps(requests.write(job))
        return subprocess.run(argv, input=document, capture_output=True, text=True, timeout=180)

    deadline = time.monotonic() + RECONNECTED_SECONDS
    while (proof := deployed.verified()["rollback"])["ok"] is None:
        assert time.monotonic() < deadline, proof["reason"]
        time.sleep(5)
    assert proof["ok"] is True and {"health", "tools", "sqlite", "n8n"} <= set(proof["gates"])
    done = run_now()
    assert done.returncode == 0, done.stderr
    prometheus(deployed, settings, queries.ROLLBACK_POSSIBLE, 1)
    deployed.docker("stop", SERVERS.container)
    try:
        status = deployed.ops("status")
        done = run_now()
    finally:
        deployed.docker("start", SERVERS.container)
        healthy(deployed, SERVERS.container)
    assert status["healthy"] is True and status["rollback"]["ok"] is False
    assert f"{SERVERS.container} is stopped" in status["rollback"]["reason"]
    assert done.returncode == 1 and "rollback failed: a rollback is not possible: " in done.stderr
    assert results.noted(job, "rollback")["result"] == "not-possible"
    prometheus(deployed, settings, queries.ROLLBACK_POSSIBLE, 0)
    assert deployed.verified()["rollback"]["ok"] is True
