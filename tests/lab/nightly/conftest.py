"""The deployed stack with Sentinel on the port and the nightly job installed."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest

from components.nightly import nightly_request
from hostctl.nightly.request import NightlyRequest
from hostctl.postgres.psql import Database
from lab import audit_rows
from lab.real.contextforge.http_call import call
from settings import Settings
from tests.lab.cutover.conftest import Lab, lab
from tests.lab.monitoring.conftest import deployed, settings

__all__ = ["deployed", "lab", "settings"]


@pytest.fixture(scope="package")
def job(deployed: Lab, settings: Settings) -> Generator[NightlyRequest]:
    """The nightly job's request; afterwards the tests' backups and rows are removed."""
    job = replace(nightly_request(settings), docker_socket=deployed.box.docker_socket)
    deployed.sql("DELETE FROM audit_log WHERE client_subject = 'test'")
    theirs = set(Path(job.backups).glob("*"))
    yield job
    for path in set(Path(job.backups).glob("*")) - theirs:
        path.unlink()
    deployed.sql("DELETE FROM audit_log WHERE client_subject = 'test'")


@pytest.fixture
def database(job: NightlyRequest) -> Database:
    return Database.connect(job.docker_socket, job.database)


def rows(lab: Lab, count: int, age: str) -> None:
    """So many calls of that age, such as `40 days`, one second apart."""
    moment = f"now() - interval '{age}' - (number + 1) * interval '1 second'"
    lab.sql(audit_rows.insert(count, "test", moment, "gen_random_uuid()"))


def prometheus(lab: Lab, settings: Settings, name: str, value: float, limit_seconds: float = 60) -> None:
    """Until Prometheus has this value; it scrapes every five seconds in the lab."""
    deadline = time.monotonic() + limit_seconds
    while True:
        path = f"/api/v1/query?{urlencode({'query': name})}"
        result = call(lab.box, "GET", path, port=settings.prometheus.port).body["data"]["result"]
        found = [float(one["value"][1]) for one in result]
        if found == [value]:
            return
        assert time.monotonic() < deadline, f"{name} is {found}, not {value}"
        time.sleep(0.5)


def healthy(lab: Lab, container: str, limit_seconds: float = 90) -> None:
    """Until Docker calls it healthy."""
    deadline = time.monotonic() + limit_seconds
    while lab.inspect(container)["State"]["Health"]["Status"] != "healthy":
        assert time.monotonic() < deadline, f"{container} is not healthy"
        time.sleep(0.5)
