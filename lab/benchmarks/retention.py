"""The cost of retention: calls through the gateway with and without it, and the table's size over simulated months.

Owns: filling the lab's audit log, calling meanwhile, and the figures. Retention itself is `hostctl`'s own, on the lab's
Docker. Deliberately does not: keep the rows that it made; those of the lab's own stay.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from components.nightly import nightly_request
from console.errors import UserError
from hostctl.nightly.retention import removed
from hostctl.postgres.psql import Database
from lab import audit_rows
from lab.benchmarks.alerts import HARMLESS, THOUGHT
from lab.benchmarks.watched import gateway_tokens
from lab.box import Box
from lab.box.network import inside
from settings import Settings
from settings.limits import AUDIT_BATCH_ROWS

ROWS = 1_000_000
MONTHS = 8
ROWS_A_MONTH = 100_000
FIRST_DAY = datetime(2020, 1, 1, tzinfo=UTC)
"""Far from the lab's own rows."""

MARK = "lab.benchmarks"
"""`client_subject` of every row that is made here."""

INTERVAL_SECONDS = 0.1
"""Between two calls: below the gateway's default rate limit of 1000 a minute."""
ALONE_SECONDS = 60.0
SQL_SECONDS = 1800.0
_MEGABYTE = 1024 * 1024
_INSIDE = Path(__file__).with_name("calls_inside.py")


@dataclass
class Calls:
    """Milliseconds of each call of a block, there once it has ended, and how many were not answered well."""

    ms: list[float] = field(default_factory=list[float])
    bad: int = 0

    def quantile(self, share: float) -> float:
        return round(sorted(self.ms)[int(len(self.ms) * share)], 1)


def take(box: Box, settings: Settings, say: Callable[[str], None], rows: int = ROWS) -> dict[str, Any]:
    """{"retention": {"rows", "seconds", "alone", "meanwhile": {"p50", "p99", "longest", "calls"}, "months_mb"}}."""
    database, batch = database_of(box, settings), AUDIT_BATCH_ROWS
    try:
        sizes = months(database, MONTHS, ROWS_A_MONTH, batch, say)
        # The last month's rows are young enough to stay; they would go, and count, with the million.
        clean(database)
        say(f"{rows} rows of the past …")
        fill(database, rows, FIRST_DAY, FIRST_DAY + timedelta(days=365))
        with calling(box, settings) as alone:
            time.sleep(ALONE_SECONDS)
        say(f"alone p50 {alone.quantile(0.5)} p99 {alone.quantile(0.99)} ms, {alone.bad} bad")
        began = time.monotonic()
        with calling(box, settings) as meanwhile:
            found = removed(database, FIRST_DAY + timedelta(days=366), batch)
        seconds = round(time.monotonic() - began, 1)
        say(f"meanwhile p50 {meanwhile.quantile(0.5)} p99 {meanwhile.quantile(0.99)} ms, {meanwhile.bad} bad")
    finally:
        clean(database)
    if found["removed"] != rows or alone.bad or meanwhile.bad:
        raise UserError(
            f"{found['removed']} rows went, {alone.bad + meanwhile.bad} calls failed: no figures from that."
        )
    figures = {"rows": rows, "batch": batch, "seconds": seconds, "months_mb": [mb(size) for size in sizes]}
    return {"retention": {**figures, "alone": _of(alone), "meanwhile": _of(meanwhile), "month_rows": ROWS_A_MONTH}}


def database_of(box: Box, settings: Settings) -> Database:
    return Database.connect(box.docker_socket, nightly_request(settings).database)


def fill(database: Database, rows: int, first: datetime, last: datetime) -> None:
    """So many rows, evenly between two days, each as long as a real one."""
    step = (last - first).total_seconds() / rows
    moment = f"'{first.isoformat()}'::timestamptz + number * interval '{step:.6f} seconds'"
    database.run([audit_rows.insert(rows, MARK, moment, "repeat('x', 120)")], "filling the audit log", SQL_SECONDS)


def months(database: Database, count: int, rows: int, batch: int, say: Callable[[str], None]) -> list[int]:
    """The table's bytes with its indexes after each month's last nightly job; no dead rows at the beginning."""
    clean(database)
    sizes: list[int] = []
    for month in range(count):
        first = FIRST_DAY + timedelta(days=30 * month)
        last = first + timedelta(days=30)
        fill(database, rows, first, last)
        sizes.append(removed(database, last - timedelta(days=30), batch)["bytes"])
        say(f"month {month + 1}: {mb(sizes[-1])} MB")
    return sizes


def clean(database: Database) -> None:
    """The rows made here are gone, and with them the room that they took."""
    lines = [f"DELETE FROM audit_log WHERE client_subject = '{MARK}';", "VACUUM (FULL) audit_log;"]
    database.run(lines, "cleaning the audit log", SQL_SECONDS)


@contextmanager
def calling(box: Box, settings: Settings) -> Generator[Calls]:
    """One call after the other through the port, from the first good answer until the block's end."""
    calls = Calls()
    process = subprocess.Popen(
        inside(box.vps, [sys.executable, "-I", "-S", str(_INSIDE)]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    request = {
        "port": settings.sentinel.port,
        "token": gateway_tokens(box)[-1],
        "tool": HARMLESS,
        "arguments": THOUGHT,
        "clients": 1,
        "count": None,
        "interval_seconds": INTERVAL_SECONDS,
    }
    patience = threading.Timer(60, process.kill)
    patience.start()
    try:
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        if process.stdout.readline() != "calling\n":
            raise UserError("No call through the port was answered: see `make verify`.")
        patience.cancel()
        yield calls
        process.stdin.close()
        result = json.loads(process.stdout.readline())
        calls.ms, calls.bad = result["ms"], result["bad"]
    finally:
        patience.cancel()
        process.stdin.close()
        if process.poll() is None:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        process.stdout.close()


def mb(size: int) -> float:
    return round(size / _MEGABYTE, 1)


def _of(calls: Calls) -> dict[str, float]:
    quantiles = {"p50": calls.quantile(0.5), "p99": calls.quantile(0.99), "longest": round(max(calls.ms), 1)}
    return {**quantiles, "calls": len(calls.ms)}
