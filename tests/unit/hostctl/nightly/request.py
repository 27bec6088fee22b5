"""A request of the nightly job in a folder of the test's own."""

from __future__ import annotations

from pathlib import Path

from hostctl.nightly.request import Keep, Marks, NightlyRequest, Retention
from hostctl.postgres.psql import DatabaseRequest
from hostctl.schedule.job import Scheduler


def nightly_request(tmp_path: Path, script: str = "", kind: str = "cron") -> NightlyRequest:
    """Docker does not answer there."""
    return NightlyRequest(
        folder=str(tmp_path / "product" / "nightly"),
        program=str(tmp_path / "hostctl.pyz"),
        backups=str(tmp_path / "backups"),
        keep=Keep(daily=7, weekly=4, monthly=6),
        database=DatabaseRequest("sentinel-postgres", "sentinel", "sentinel", 999),
        retention=Retention(days=30, batch_rows=5000),
        at="03:17",
        script=script,
        scheduler=Scheduler(kind, str(tmp_path / "host" / "units"), str(tmp_path / "host" / "cron.d")),
        tokens=str(tmp_path / "tokens"),
        prometheus=Marks(str(tmp_path / "marks"), "127.0.0.1:9090"),
        docker_socket="/nowhere.sock",
    )
