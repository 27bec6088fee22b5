"""A PostgreSQL for tests and benchmarks beside the box, in a folder and on a loopback port of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import asyncpg  # pyright: ignore[reportMissingTypeStubs] - it has no types

from console.errors import UserError

_START_SECONDS = 15


@dataclass
class Database:
    """A PostgreSQL that runs; `url()` is a new empty database. Its socket, which demands nothing, is in `folder`."""

    port: int
    folder: Path
    _number: int = 0

    def address(self, database: str) -> str:
        return f"postgres://sentinel:of-the-tests@127.0.0.1:{self.port}/{database}"

    def url(self) -> str:
        self._number += 1
        name = f"tests_{os.getpid()}_{self._number}"
        self.query(self.address("postgres"), f"CREATE DATABASE {name}")
        return self.address(name)

    def query(self, url: str, statement: str) -> list[tuple[Any, ...]]:
        async def rows() -> list[tuple[Any, ...]]:
            connection: Any = await cast(Any, asyncpg).connect(url)
            try:
                return [tuple(row) for row in await connection.fetch(statement)]
            finally:
                await connection.close()

        return asyncio.run(rows())


@contextlib.contextmanager
def running_postgres() -> Generator[Database]:
    """PostgreSQL in a folder of its own, as the system user that Debian's package makes (it refuses root)."""
    binaries = _postgres_binaries()
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="sentinel-tests-"))
    if user:
        shutil.chown(folder, user, user)
    password = folder / "password"
    password.write_text("of-the-tests")
    data, port = folder / "data", _free_port()
    command = [binaries / "initdb", "-D", data, "-U", "sentinel", "-E", "UTF8", "--no-sync"]
    who = ["--auth-host=scram-sha-256", "--auth-local=trust"]
    subprocess.run(
        [*command, *who, f"--pwfile={password}"], check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL
    )
    options = ("listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={folder}", "fsync=off")
    server = subprocess.Popen(
        [binaries / "postgres", "-D", data, *(argument for option in options for argument in ("-c", option))],
        user=user,
        cwd=folder,
        stderr=(folder / "log").open("w"),
    )
    try:
        _await_start(folder / "log")
        yield Database(port, folder)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)
        shutil.rmtree(folder)


def _await_start(log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while "ready to accept" not in (text := log.read_text()):
        if time.monotonic() > end:
            raise UserError(f"PostgreSQL accepted no connection within {_START_SECONDS} s: {text[-500:]}")
        time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _postgres_binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found and os.geteuid() == 0:
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", "postgresql"], check=True)
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        raise UserError("PostgreSQL's programs are not here: install Debian's package postgresql.")
    return found[-1]
