"""`backup restore`: a backup takes the live database's place; the former one stays beside it under another name.

    restore into sentinel_restoring  ->  nobody may connect, connections end  ->  both renamed at once  ->  open again

The gateway stays up and answers calls. A row that it would write while nobody may connect is refused, and so lost; the
next one finds the restored database. A restore that fails
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

from hostctl.core import requests, unfinished
from hostctl.core.errors import Refusal
from hostctl.core.lock import held
from hostctl.docker.exec_streams import streamed
from hostctl.host import free_space
from hostctl.nightly import backup_catalog, exchange
from hostctl.nightly.backup_catalog import Backup
from hostctl.nightly.exchange import ReopenRequest
from hostctl.nightly.request import RestoreRequest
from hostctl.nightly.restore_drill import RESTORE_SECONDS
from hostctl.postgres import dump_file
from hostctl.postgres.psql import SOCKET, Database, as_document, complaint

_CUT_OFF = "a restore was cut off while the databases exchanged their names"


def restore(request: RestoreRequest) -> dict[str, Any]:
    """Restore the requested backup. Raises Refusal."""
    with held(request.folder, "backup restore"):
        chosen = _chosen(request)
        database = Database.connect(request.docker_socket, request.database)
        if re.fullmatch(r"[a-z_][a-z0-9_]{0,40}", database.name) is None:
            raise Refusal(f"the database's name {database.name} needs quoting: restore it by hand, as the runbook says")
        began = time.monotonic()
        exchange.open_again(database)
        lacking = free_space.lacking(free_space.dockers_folder(database.engine), os.path.getsize(chosen.path))
        if lacking:
            raise Refusal(f"{lacking} for the restored copy: make room, then run again; nothing was changed")
        before = database.counts()
        after = _restored_beside(database, request.database.role, chosen)
        kept = f"{database.name}_before_{datetime.now(timezone.utc):%Y%m%dt%H%M%S}"
        exchanged = time.monotonic()
        reopen = requests.write(ReopenRequest(request.database, request.docker_socket))
        record = unfinished.due(os.path.dirname(request.program), ("backup", "reopen"), _CUT_OFF, reopen)
        exchange.exchange(database, kept)
        unfinished.done(record)
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
    if chosen.facts and dump_file.digest(chosen.path) != chosen.facts.get("sha256"):
        raise Refusal(f"{chosen.name} is not the file that was written (checksum mismatch): choose an older one")
    return chosen


def _restored_beside(database: Database, owner: str, chosen: Backup) -> dict[str, Any]:
    """A database of its own with the backup's contents, compared with the counts of its time; its counts."""
    beside = exchange.beside(database)
    exchange.maintain(database, f'DROP DATABASE IF EXISTS "{beside}" WITH (FORCE);')
    fault = dump_file.read_back(database.engine, database.image, chosen.path)
    if fault:
        raise Refusal(f"{chosen.name} cannot be read whole ({fault}): choose an older one; nothing was changed")
    exchange.maintain(database, f'CREATE DATABASE "{beside}" OWNER "{owner}" TEMPLATE template0;')
    try:
        _fill(database, beside, chosen)
        copy = Database(database.engine, database.container, database.role, beside, database.image, database.uid)
        counts = as_document(copy.counts())
        if chosen.facts and any(counts[key] != chosen.facts.get(key) for key in ("rows", "newest")):
            raise Refusal(
                f"{chosen.name} does not hold the rows counted with it: choose an older one; nothing was changed"
            )
    except BaseException:
        exchange.maintain(database, f'DROP DATABASE IF EXISTS "{beside}" WITH (FORCE);')
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
