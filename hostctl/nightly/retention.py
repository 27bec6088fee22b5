"""Retention of the audit log: rows older than the configured days are removed, one bounded batch at a time.

Each batch is a transaction of its own, followed by a pause at least as long as it took, so that the gateway's writer
waits for one batch at most and half of the time belongs to it. Rows are found by `timestamp`, the end of their call,
which has an index (`created_at` has none), each batch beginning where the one before ended. Freed space is used again:
a vacuum follows that gives nothing back to the disk, since that would lock the table.

Owns: these rows. Deliberately does not: wait for a good backup of the same run (hostctl/nightly/__init__.py does).
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import Any

from hostctl.core.documents import parsed
from hostctl.core.errors import Refusal
from hostctl.core.timestamps import whole
from hostctl.nightly.request import NightlyRequest
from hostctl.nightly.results import note
from hostctl.postgres.psql import Database

STEP = "retention"
LIMIT_SECONDS = 3600.0

_REMOVE = """DO $$
DECLARE
    began timestamptz; gone bigint; total bigint := 0; first timestamptz := '-infinity'; last timestamptz;
BEGIN
    IF to_regclass('audit_log') IS NOT NULL THEN
        LOOP
            began := clock_timestamp();
            WITH old AS (
                SELECT ctid FROM audit_log WHERE "timestamp" >= first AND "timestamp" < '{before}'
                ORDER BY "timestamp" LIMIT {batch}
            ), removed AS (
                DELETE FROM audit_log USING old WHERE audit_log.ctid = old.ctid RETURNING audit_log."timestamp"
            ) SELECT count(*), max("timestamp") INTO gone, last FROM removed;
            COMMIT;
            EXIT WHEN gone = 0;
            total := total + gone;
            first := last;
            PERFORM pg_sleep(greatest(0.02, extract(epoch FROM clock_timestamp() - began)));
        END LOOP;
    END IF;
    PERFORM set_config('sentinel_cutover.removed', total::text, false);
END $$;"""
_AFTER = (
    # In small steps; by default it would take all that the disk can do.
    "SET vacuum_cost_delay = '2ms';",
    r"SELECT to_regclass('audit_log') IS NOT NULL AS there \gset",
    r"\if :there",
    "VACUUM (TRUNCATE false, ANALYZE) audit_log;",
    "SELECT json_build_object('removed', current_setting('sentinel_cutover.removed')::bigint, 'rows', "
    "(SELECT count(*) FROM audit_log), 'bytes', pg_total_relation_size('audit_log'));",
    r"\else",
    "SELECT json_build_object('removed', 0, 'rows', 0, 'bytes', 0);",
    r"\endif",
)


def step(request: NightlyRequest) -> dict[str, Any]:
    """Remove the old rows now; raises Refusal."""
    began = time.monotonic()
    before = datetime.now(timezone.utc) - timedelta(days=request.retention.days)
    database = Database.connect(request.docker_socket, request.database)
    counts = removed(database, before, request.retention.batch_rows)
    facts = {
        "result": "done",
        "reason": "",
        "before": whole(before.timestamp()),
        **counts,
        "ms": round((time.monotonic() - began) * 1000),
    }
    metrics = {"sentinel_audit_rows_removed": counts["removed"], "sentinel_audit_log_bytes": counts["bytes"]}
    note(request, STEP, facts, metrics)
    return facts


def removed(database: Database, before: datetime, batch: int) -> dict[str, int]:
    """{"removed", "rows", "bytes"}: rows that went, rows that are left, and the table's size with its indexes."""
    line = " ".join(_REMOVE.format(before=before.isoformat(), batch=batch).split())
    output = database.run([line, *_AFTER], "removing old rows of audit_log", LIMIT_SECONDS)
    rows = (row for row in map(parsed, output.splitlines()) if row is not None)
    counts = next((row for row in rows if "removed" in row), None)
    if counts is None:
        raise Refusal(
            "Postgres did not say how many rows of audit_log were removed: see 'docker logs sentinel-postgres'"
        )
    return {name: int(counts[name]) for name in ("removed", "rows", "bytes")}
