"""`backup take`: dump Sentinel's database, read the dump back whole, and remove the backups that are no longer kept.

Owns: the order. Under another name, 0600: dump, sync, read back (`pg_restore` decompresses all of it; `--list` would
prove nothing), compare the bytes on the disk with those that came in; then the facts, then the rename, and only then
the rotation. A failure on the way leaves no file that counts, and all older backups.

Rows and newest timestamp are counted in the very snapshot that is dumped, so that a restore can be compared exactly.

Deliberately does not: dump another database, keep roles (the program makes the only one), or copy anything off the
host.
"""

from __future__ import annotations

import hashlib
import os
import time
from datetime import datetime, timezone
from typing import Any, BinaryIO, cast

from hostctl.core import atomic_file
from hostctl.core.errors import Refusal
from hostctl.core.lock import held
from hostctl.docker import one_shot
from hostctl.docker.exec_streams import streamed
from hostctl.nightly import backup_catalog
from hostctl.nightly.backup_catalog import FILE_MODE, FOLDER_MODE, beside
from hostctl.nightly.request import NightlyRequest
from hostctl.nightly.results import note, noted
from hostctl.postgres.psql import COUNTS, SOCKET, Counts, Database, as_document, complaint

STEP = "backup"
SILENT_SECONDS = 600.0
"""A dump that is silent for this long is given up; also the limit of reading it back."""

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
    removed = backup_catalog.rotate(folder, request.keep)
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


def read_back(database: Database, path: str) -> str:
    """The dump's fault, empty when `pg_restore` reads all of it."""
    argv = ["pg_restore", "-f", "/dev/null", path]
    status, output = one_shot.run(database.engine, one_shot.reader(database.image, argv, path), SILENT_SECONDS)
    return (complaint(output) or f"exit code {status}") if status else ""


def _made(request: NightlyRequest, folder: str) -> tuple[str, dict[str, Any]]:
    """The new backup's path and facts, once it has its name."""
    os.makedirs(folder, mode=FOLDER_MODE, exist_ok=True)
    backup_catalog.clear(folder)
    database = Database.connect(request.docker_socket, request.database)
    began = time.monotonic()
    path = os.path.join(folder, backup_catalog.name_at(datetime.now(timezone.utc)))
    partial = os.path.join(folder, f".{os.path.basename(path)}.partial")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE), "wb") as file:
            out = _Hashing(file)
            counts = dumped(database, out)
            file.flush()
            os.fsync(file.fileno())
        fault = read_back(database, partial)
        if fault:
            raise Refusal(f"the new dump cannot be read back ({fault})")
        if backup_catalog.digest(partial) != out.digest:
            raise Refusal(f"checksum mismatch of the new dump in {folder}: check the disk, then run again")
        facts = {
            **as_document(counts),
            "sha256": out.digest,
            "bytes": out.size,
            "ms": round((time.monotonic() - began) * 1000),
        }
        backup_catalog.write_facts(path, facts)
        os.rename(partial, path)
        atomic_file.sync_folder(folder)
    except BaseException:
        for unfinished in (partial, beside(path)):
            if os.path.exists(unfinished) and not os.path.exists(path):
                os.unlink(unfinished)
        raise
    return path, facts


def dumped(database: Database, out: _Hashing) -> Counts:
    """Write the dump to `out`; the counts of its snapshot. Raises Refusal when pg_dump did not end well."""
    argv = database.argv(_DUMP)
    status, output = streamed(database.engine, database.container, argv, SILENT_SECONDS, out=cast(BinaryIO, out))
    ended = [line[len(_ENDED) :].strip() for line in output.splitlines() if line.startswith(_ENDED)]
    if status or ended != ["0"]:
        message = "\n".join(line for line in output.splitlines() if not line.startswith(_ENDED))
        raise Refusal(f"pg_dump failed ({complaint(message) or 'its container ended'})")
    return Counts.of(output)


def _disk_error(error: OSError, folder: str) -> str:
    return f"{error.filename or folder} cannot be written ({error.strerror}): make room, or fix that"


class _Hashing:
    """A file that counts bytes and their SHA-256 on the way."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._hash, self.size = file, hashlib.sha256(), 0

    def write(self, content: bytes) -> int:
        self._hash.update(content)
        self.size += len(content)
        return self._file.write(content)

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()
