"""The last dump of ContextForge's database, and a copy of its compose files, before either goes.

Owns: both, 0600 in a folder of 0700, each written beside and renamed once it has been verified.
Deliberately does not: know a password; the database's own client connects over the server's socket. The product never
removes either file: without the key in `.env` the dump's encrypted fields cannot be read.
"""

from __future__ import annotations

import os
import tarfile
import time
from collections.abc import Sequence
from typing import Any, BinaryIO

from hostctl.core import atomic_file, folders
from hostctl.core.errors import Refusal
from hostctl.core.timestamps import now
from hostctl.docker import containers
from hostctl.docker.containers import Container
from hostctl.docker.engine import Engine
from hostctl.docker.exec_streams import streamed
from hostctl.postgres import dump_file
from hostctl.postgres.operators import NAMES, is_postgres
from hostctl.postgres.psql import SOCKET, complaint

DUMP, FILES = "contextforge.dump", "contextforge-files.tar"
DUMP_SECONDS, READY_SECONDS = 900.0, 60.0
_DUMP = f'{NAMES}; exec pg_dump -Fc -w --lock-wait-timeout=30s -h {SOCKET} -U "$user" -d "$base"'


def take(engine: Engine, folder: str, going: Sequence[Container]) -> dict[str, Any]:
    """{"path", "bytes", "sha256", "at"}; raises Refusal, and then an earlier dump is still there."""
    database = _database(engine, going)
    started = not database.running
    if started:
        engine.post(f"/containers/{database.id}/start")
    try:
        _wait(engine, database)
        return _taken(engine, folder, database)
    finally:
        if started:
            engine.post(f"/containers/{database.id}/stop?t=30", seconds=READY_SECONDS)


def keep_files(folder: str, paths: Sequence[str]) -> dict[str, Any]:
    """A tar of the files, read back; no file at all is not an error."""
    target = os.path.join(folder, FILES)
    existing = [path for path in paths if os.path.isfile(path)]
    if not existing:
        return {"path": target if os.path.exists(target) else "", "files": 0}
    partial = _beside(target)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            for path in existing:
                tar.add(path, arcname=path.lstrip("/"))
        file.flush()
        os.fsync(file.fileno())
    with tarfile.open(partial) as tar:
        for path in existing:
            inside = tar.extractfile(path.lstrip("/"))
            with open(path, "rb") as original:
                if inside is None or inside.read() != original.read():
                    raise Refusal(f"checksum mismatch in the copy of {path}: check the disk, then run again")
    os.replace(partial, target)
    atomic_file.sync_folder(folder)
    return {"path": target, "files": len(existing)}


def make_folder(folder: str) -> None:
    """Make the folder, readable for its owner alone, whatever was there before."""
    folders.make_exactly(folder, 0o700)


def _database(engine: Engine, going: Sequence[Container]) -> Container:
    for candidate in going:
        if candidate.service == "postgres" or is_postgres(engine, candidate.id):
            return candidate
    raise Refusal(
        "none of ContextForge's containers is a Postgres, so its last dump cannot be taken here: copy its database "
        "yourself, then remove ContextForge by 'docker compose down' in its folder"
    )


def _wait(engine: Engine, database: Container) -> None:
    deadline = time.monotonic() + READY_SECONDS
    ready = ["sh", "-c", f'{NAMES}; pg_isready -q -h {SOCKET} -U "$user" -d "$base"']
    while engine.inside(database.id, ready, READY_SECONDS)[0]:
        if time.monotonic() > deadline:
            raise Refusal(f"Postgres in {database.name} is not ready after {READY_SECONDS:.0f} s: see 'docker logs'")
        time.sleep(0.25)


def _taken(engine: Engine, folder: str, database: Container) -> dict[str, Any]:
    def dump(out: BinaryIO) -> None:
        status, output = streamed(engine, database.id, ["sh", "-c", _DUMP], DUMP_SECONDS, out=out)
        if status:
            raise Refusal(f"pg_dump in {database.name} failed ({complaint(output) or 'no reason given'})")

    target = os.path.join(folder, DUMP)
    try:
        with dump_file.new(engine, database.image, target, dump) as (_, facts):
            pass
    except Refusal as refusal:
        raise Refusal(f"no last dump was taken: {refusal}; fix that, then run again; nothing was removed") from None
    return {"path": target, **facts, "at": now()}


def _beside(target: str) -> str:
    return os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.partial")


def described(engine: Engine, identifiers: Sequence[str]) -> list[Container]:
    """The containers that still exist."""
    present = [containers.find(engine, identifier) for identifier in identifiers]
    return [container for container in present if container is not None]
