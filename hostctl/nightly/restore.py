"""`backup restore`: a backup takes the live database's place; the former one stays beside it under another name.

    restore into sentinel_restoring  ->  nobody may connect, connections end  ->  both renamed at once  ->  open again

The gateway stays up: its writer reconnects within seconds, and calls are answered meanwhile. A restore that fails
before the renaming has changed nothing, and one that is killed is started over by the next.

Owns: these databases' names. Deliberately does not: remove the former data (the runbook says how), or ask for consent;
`make restore` does.
"""

from __future__ import annotations

import os
import re
import time
from datetime import datetime, timezone
from typing import Any

from hostctl.core.errors import Refusal
from hostctl.core.lock import held
from hostctl.docker.exec_streams import streamed
from hostctl.nightly import backup, backup_catalog
from hostctl.nightly.backup_catalog import Backup
from hostctl.nightly.request import RestoreRequest
from hostctl.nightly.restore_drill import RESTORE_SECONDS
from hostctl.postgres.psql import SOCKET, Database, as_document, complaint

_MAINTENANCE = "postgres"
_TRIES = 5


def restore(request: RestoreRequest) -> dict[str, Any]:
    """Restore the requested backup. Raises Refusal."""
    with held(request.folder, "backup restore"):
        chosen = _chosen(request)
        database = Database.connect(request.docker_socket, request.database)
        if re.fullmatch(r"[a-z_][a-z0-9_]{0,40}", database.name) is None:
            raise Refusal(f"the database's name {database.name} needs quoting: restore it by hand, as the runbook says")
        began = time.monotonic()
        before = database.counts()
        after = _restored_beside(database, chosen)
        kept = f"{database.name}_before_{datetime.now(timezone.utc):%Y%m%dt%H%M%S}"
        exchanged = time.monotonic()
        _exchange(database, kept)
        return {
            "file": chosen.path,
            "taken": chosen.document()["at"],
            "database": database.name,
            "before": as_document(before),
            "after": after,
            "compared": bool(chosen.facts),
            "kept": kept,
            "closed_ms": round((time.monotonic() - exchanged) * 1000),
            "ms": round((time.monotonic() - began) * 1000),
        }


def _chosen(request: RestoreRequest) -> Backup:
    path = (
        request.file if os.path.isabs(request.file) else os.path.join(request.backups, os.path.basename(request.file))
    )
    chosen = backup_catalog.at(path)
    if chosen is None and path.endswith(".dump") and os.path.isfile(path):
        # Brought back from elsewhere without the facts beside it: then pg_restore alone can judge it.
        chosen = Backup(path, datetime.fromtimestamp(os.path.getmtime(path), timezone.utc), {})
    if chosen is None:
        names = [existing.name for existing in backup_catalog.found(request.backups)][:5]
        others = f"the newest are {', '.join(names)}" if names else f"there is none in {request.backups}"
        raise Refusal(f"{path} is not a backup; {others}: choose one with FROM=")
    if chosen.facts and backup_catalog.digest(chosen.path) != chosen.facts.get("sha256"):
        raise Refusal(f"{chosen.name} is not the file that was written (checksum mismatch): choose an older one")
    return chosen


def _restored_beside(database: Database, chosen: Backup) -> dict[str, Any]:
    """A database of its own with the backup's contents, compared with the counts of its time; its counts."""
    beside = _beside(database)
    _maintain(database, f'DROP DATABASE IF EXISTS "{beside}" WITH (FORCE);')
    fault = backup.read_back(database, chosen.path)
    if fault:
        raise Refusal(f"{chosen.name} cannot be read whole ({fault}): choose an older one; nothing was changed")
    _maintain(database, f'CREATE DATABASE "{beside}" OWNER "{database.role}" TEMPLATE template0;')
    try:
        _fill(database, beside, chosen)
        copy = Database(database.engine, database.container, database.role, beside, database.image, database.uid)
        counts = as_document(copy.counts())
        if chosen.facts and any(counts[key] != chosen.facts.get(key) for key in ("rows", "newest")):
            raise Refusal(
                f"{chosen.name} does not hold the rows counted with it: choose an older one; nothing was changed"
            )
    except BaseException:
        _maintain(database, f'DROP DATABASE IF EXISTS "{beside}" WITH (FORCE);')
        raise
    return counts


def _fill(database: Database, beside: str, chosen: Backup) -> None:
    """Run `pg_restore` in the server's container, where its socket demands no password, with the dump on stdin."""
    argv = ["pg_restore", "--exit-on-error", "-w", "-h", SOCKET, "-U", database.role, "-d", beside]
    with open(chosen.path, "rb") as dump:
        status, output = streamed(database.engine, database.container, argv, RESTORE_SECONDS, feed=dump)
    if status:
        raise Refusal(
            f"{chosen.name} could not be restored ({complaint(output) or f'exit code {status}'}): choose an "
            "older one; nothing was changed"
        )


def _exchange(database: Database, kept: str) -> None:
    name, beside = database.name, _beside(database)
    for left in range(_TRIES, 0, -1):
        try:
            _maintain(
                database,
                f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false;',
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' \\g /dev/null",
                "BEGIN;",
                f'ALTER DATABASE "{name}" RENAME TO "{kept}";',
                f'ALTER DATABASE "{beside}" RENAME TO "{name}";',
                "COMMIT;",
            )
            break
        except Refusal:
            if left == 1:
                _maintain(database, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true;')
                raise
    _maintain(database, f'ALTER DATABASE "{kept}" ALLOW_CONNECTIONS true;')


def _maintain(database: Database, *lines: str) -> None:
    database.run(lines, "exchanging the databases", name=_MAINTENANCE)


def _beside(database: Database) -> str:
    return f"{database.name}_restoring"
