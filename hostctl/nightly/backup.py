"""`backup take`: dump Sentinel's database, read the dump back whole, and remove the backups that are no longer kept.

Owns: the order. Under another name, 0600: dump, sync, read back (`pg_restore` decompresses all of it; `--list` would
prove nothing), compare the bytes on the disk with those that came in; then the facts, then the rename, and only then
the rotation. A failure on the way leaves no file that counts, and all older backups.

Rows and newest timestamp are counted in the very snapshot that is dumped, so that a restore can be compared exactly.

Deliberately does not: dump another database, keep roles (the program makes the only one), or copy anything off the
host.
"""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone
from functools import partial
from typing import Any, BinaryIO

from hostctl.core import folders
from hostctl.core.errors import Refusal
from hostctl.core.lock import held
from hostctl.docker.exec_streams import streamed
from hostctl.host import free_space
from hostctl.nightly import backup_catalog, exchange
from hostctl.nightly.backup_catalog import FOLDER_MODE, beside
from hostctl.nightly.request import NightlyRequest
from hostctl.nightly.results import note, noted
from hostctl.postgres import dump_file
from hostctl.postgres.psql import COUNTS, SOCKET, Counts, Database, as_document, complaint

STEP = "backup"
_ENDED = "sentinel-cutover: pg_dump ended with"
_DUMP = (
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;",
    # psql's stdout is the dump's.
    r"\o |cat >&2",
    *COUNTS,
    r"\o",
    r"SELECT pg_export_snapshot() AS snapshot \gset",
    r"\setenv PGSNAPSHOT :snapshot",
    # psql before 16 does not say how a shell command ended.
    rf'\! nice -n 10 pg_dump -w -Fc --snapshot="$PGSNAPSHOT" -h {SOCKET} -U "$PGROLE" -d "$PGNAME"; '
    f'echo "{_ENDED} $?" >&2',
)


def take(request: NightlyRequest) -> dict[str, Any]:
    """Take a backup; raises Refusal, and reports to Prometheus, when none that counts was made."""
    with held(request.folder, "backup take"):
        return step(request)


def step(request: NightlyRequest) -> dict[str, Any]:
    """Take a backup, for a caller that holds the folder already; raises Refusal."""
    folder = request.backups
    try:
        path, facts = _made(request, folder)
    except (Refusal, OSError) as failure:
        reason = str(failure) if isinstance(failure, Refusal) else _disk_error(failure, folder)
        report(request, {"result": "failed", "reason": reason})
        raise Refusal(f"no backup was taken: {reason}; earlier backups are kept") from None
    removed = backup_catalog.rotate(folder, request.keep, path)
    kept = len(backup_catalog.found(folder))
    report(request, {"result": "good", "reason": "", "kept": kept, "removed": removed})
    return {"result": "good", "file": path, **facts, "kept": kept, "removed": removed}


def report(request: NightlyRequest, facts: dict[str, Any]) -> None:
    """Note the last try, with the newest backup that still counts as good."""
    good = backup_catalog.newest_good(request.backups)
    metrics = {"sentinel_backup_last_try_good": float(facts["result"] == "good")}
    if good is not None:
        metrics["sentinel_backup_last_good_timestamp_seconds"] = good.at.timestamp()
        metrics["sentinel_backup_last_bytes"] = float(good.facts.get("bytes", 0))
    try:
        note(request, STEP, {**facts, "last_good": None if good is None else good.document()}, metrics)
    except OSError as error:
        raise Refusal(
            f"{error.filename or 'the product folder'} cannot be written ({error.strerror}): fix that"
        ) from None


def report_again(request: NightlyRequest) -> None:
    """Note the last try again after a restore drill, with the newest backup that counts now."""
    before = noted(request, STEP)
    if before:
        report(request, {key: before[key] for key in before if key not in ("at", "metrics", "last_good")})


def _made(request: NightlyRequest, folder: str) -> tuple[str, dict[str, Any]]:
    """The new backup's path and facts, once it has its name."""
    folders.make(folder, FOLDER_MODE)
    backup_catalog.clear(folder)
    database = Database.connect(request.docker_socket, request.database)
    exchange.open_again(database)
    former = backup_catalog.newest(folder)
    lacking = free_space.lacking(folder, int(former.facts.get("bytes", 0)) if former else 0)
    if lacking:
        raise Refusal(f"{lacking} for a dump like the last one: make room")
    began = time.monotonic()
    path = os.path.join(folder, backup_catalog.name_at(datetime.now(timezone.utc)))
    try:
        with dump_file.new(database.engine, database.image, path, partial(dumped, database)) as (counts, file):
            facts = {**as_document(counts), **file, "ms": round((time.monotonic() - began) * 1000)}
            backup_catalog.write_facts(path, facts)
    except BaseException:
        if os.path.exists(beside(path)) and not os.path.exists(path):
            os.unlink(beside(path))
        raise
    return path, facts


def dumped(database: Database, out: BinaryIO) -> Counts:
    """Write the dump to `out`; the counts of its snapshot. Raises Refusal when pg_dump did not end well."""
    argv = database.argv(_DUMP)
    status, output = streamed(database.engine, database.container, argv, dump_file.SILENT_SECONDS, out=out)
    ended = [line[len(_ENDED) :].strip() for line in output.splitlines() if line.startswith(_ENDED)]
    if status or ended != ["0"]:
        message = "\n".join(line for line in output.splitlines() if not line.startswith(_ENDED))
        raise Refusal(f"pg_dump failed ({complaint(message) or 'its container ended'})")
    return Counts.of(output)


def _disk_error(error: OSError, folder: str) -> str:
    return f"{error.filename or folder} cannot be written ({error.strerror}): make room, or fix that"
