"""`backup drill`: the newest backup, restored into a one-shot Postgres, holds what the database held at its time.

good             every table has the rows counted in the dump's own snapshot, and the newest timestamp too
bad              the dump does not restore, or holds something else; it no longer counts as a good backup
could-not-check  there is none, or no container could be made to try: nothing is known

Owns: the one-shot container (the database's own image, no network, its data in a volume that goes with it), the
comparison, the verdict beside the backup. Deliberately does not: touch the live database, or remove a bad backup.
"""

from __future__ import annotations

import os
import time
from typing import Any

from hostctl.core.documents import table
from hostctl.core.errors import Refusal
from hostctl.core.lock import held
from hostctl.core.timestamps import now, seconds_of
from hostctl.docker import containers, one_shot
from hostctl.docker.engine import Engine
from hostctl.docker.one_shot import OneShot
from hostctl.host import free_space
from hostctl.nightly import backup, backup_catalog
from hostctl.nightly.backup_catalog import Backup
from hostctl.nightly.request import NightlyRequest
from hostctl.nightly.results import note, noted
from hostctl.postgres import dump_file
from hostctl.postgres.psql import Database, as_document, complaint

STEP = "restore-drill"
GOOD, BAD, COULD_NOT_CHECK = "good", "bad", "could-not-check"
START_SECONDS = 120.0
RESTORE_SECONDS = 3600.0
POLL_SECONDS = 0.25
MEMORY_MB = 512
"""Of the one-shot Postgres."""
WEEK_SECONDS = 6.5 * 86400
"""A little less than a week, so that the drill keeps its day of the week."""

_DATA = "/var/lib/postgresql/data"
_LOOPBACK = "127.0.0.1"


class _CouldNot(Exception):
    """The check itself did not work, so that nothing is known of the backup."""


class _Bad(Exception):
    """The backup is not what it should be."""


def run(request: NightlyRequest) -> dict[str, Any]:
    """The verdict on the newest backup, noted; raises Refusal only where it could not be taken or noted."""
    with held(request.folder, "backup drill"):
        return _drilled(request)


def weekly(request: NightlyRequest) -> dict[str, Any]:
    """The nightly job's step: once a week, and daily until it is good; raises Refusal for any other verdict."""
    good = table(noted(request, STEP).get("last_good"))
    # A drill that a wrong clock dated ahead of today's counts as none.
    if good and 0 <= time.time() - seconds_of(good["at"]) < WEEK_SECONDS:
        return {"result": "skipped", "reason": f"the drill of {good['at']} was good"}
    drilled = _drilled(request)
    if drilled["result"] != GOOD:
        raise Refusal(f"the restore drill says {drilled['result']}: {drilled['reason']}")
    return drilled


def _drilled(request: NightlyRequest) -> dict[str, Any]:
    began = time.monotonic()
    newest = backup_catalog.newest(request.backups)
    result, reason, counts = COULD_NOT_CHECK, "", {}
    try:
        counts = _compared(request, newest)
        result = GOOD
    except _Bad as fault:
        result, reason = BAD, str(fault)
    except (_CouldNot, Refusal, OSError) as failure:
        reason = str(failure)
    facts: dict[str, Any] = {
        "result": result,
        "reason": reason,
        "file": "" if newest is None else newest.path,
        "taken": "" if newest is None else newest.document()["at"],
        "ms": round((time.monotonic() - began) * 1000),
        **counts,
    }
    if newest is not None and result != COULD_NOT_CHECK:
        backup_catalog.write_facts(newest.path, {**newest.facts, "restores": result == GOOD, "tested": now()})
    _note(request, facts)
    backup.report_again(request)
    return facts


def _note(request: NightlyRequest, facts: dict[str, Any]) -> None:
    before = noted(request, STEP)
    kept = ("file", "taken", "ms", "rows", "newest")
    good = {"at": now(), **{key: facts[key] for key in kept if key in facts}}
    last = good if facts["result"] == GOOD else before.get("last_good")
    metrics: dict[str, float] = {}
    if facts["result"] != COULD_NOT_CHECK:
        metrics["sentinel_restore_drill_good"] = float(facts["result"] == GOOD)
    if last:
        metrics["sentinel_restore_drill_last_good_timestamp_seconds"] = seconds_of(last["at"])
    note(request, STEP, {**facts, "last_good": last}, metrics)


def _compared(request: NightlyRequest, newest: Backup | None) -> dict[str, Any]:
    """The counts of the restored database; raises _Bad or _CouldNot."""
    if newest is None:
        raise _CouldNot(f"there is no backup in {request.backups} yet: run 'make backup'")
    if dump_file.digest(newest.path) != newest.facts.get("sha256"):
        raise _Bad(f"{newest.name} is not the file that was written (checksum mismatch)")
    engine, image = _image(request)
    lacking = free_space.lacking(free_space.dockers_folder(engine), os.path.getsize(newest.path))
    if lacking:
        raise _CouldNot(f"{lacking} for a restored copy: make room")
    uid, role, name = request.database.uid, request.database.role, request.database.name
    with one_shot.started(engine, _postgres(image, uid, role, name)) as made:
        copy = Database(engine, made, role, name, image, uid)
        _wait(copy)
        if request.database.admin:
            # Something made by hand as superuser is its own in the dump.
            copy.run([f'CREATE ROLE "{request.database.admin}";'], "preparing the restore")
        argv = ["pg_restore", "--exit-on-error", "-w", "-h", _LOOPBACK, "-U", role, "-d", name, newest.path]
        reader = one_shot.reader(image, argv, newest.path, network=f"container:{made}")
        status, output = one_shot.run(engine, reader, RESTORE_SECONDS)
        if status in one_shot.KILLED or (status and one_shot.was_killed(engine, made)):
            raise _CouldNot(
                f"the one-shot Postgres or its pg_restore was killed, or ran out of {MEMORY_MB} MB of memory"
            )
        if status and "No space left" in output:
            raise _CouldNot(f"there is no room on the host for a copy ({complaint(output)})")
        if status:
            raise _Bad(f"{newest.name} does not restore ({complaint(output) or f'exit code {status}'})")
        counts = as_document(copy.counts())
    for key in ("rows", "newest"):
        if counts[key] != newest.facts.get(key):
            raise _Bad(f"{newest.name} holds {key} {counts[key]}, and the database held {newest.facts.get(key)}")
    return counts


def _image(request: NightlyRequest) -> tuple[Engine, str]:
    """The image of the database's container, running or not."""
    engine, name = Engine(request.docker_socket), request.database.container
    container = containers.find(engine, name, {})
    if container is None:
        raise _CouldNot(f"there is no container {name} whose image could be used: 'make up' makes it")
    return engine, container.image


def _postgres(image: str, uid: int, role: str, name: str) -> OneShot:
    return OneShot(
        image,
        user=f"{uid}:{uid}",
        environment={
            "PGDATA": _DATA,
            "POSTGRES_DB": name,
            "POSTGRES_USER": role,
            # The image requires one. Nobody can reach this server, and on its own loopback it wants none.
            "POSTGRES_PASSWORD": "nobody-can-reach-this-server",
            # Said outright: an image that was committed from a container brings that container's variables along.
            "POSTGRES_PASSWORD_FILE": "",
            "POSTGRES_INITDB_ARGS": "--auth-host=trust --encoding=UTF8",
        },
        memory_mb=MEMORY_MB,
        init=True,
        tmpfs={"/run/postgresql": f"uid={uid},gid={uid},mode=0775", "/tmp": "mode=1777"},
        volumes=(_DATA,),
    )


def _wait(copy: Database) -> None:
    """Wait for it over TCP: while it initializes the data folder the server listens on its socket only."""
    deadline = time.monotonic() + START_SECONDS
    ready = ["pg_isready", "-q", "-h", _LOOPBACK, "-U", copy.role, "-d", copy.name]
    while True:
        state = copy.engine.get(f"/containers/{copy.container}/json")["State"]
        if not state["Running"]:
            reason = complaint(copy.engine.log_tail(copy.container, 20)) or f"exit code {state['ExitCode']}"
            raise _CouldNot(f"the one-shot Postgres ended ({reason})")
        if copy.engine.inside(copy.container, ready, START_SECONDS)[0] == 0:
            return
        if time.monotonic() > deadline:
            raise _CouldNot(f"the one-shot Postgres was not ready within {START_SECONDS:.0f} s")
        time.sleep(POLL_SECONDS)
