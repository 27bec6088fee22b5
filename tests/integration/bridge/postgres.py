"""A PostgreSQL of the tests' own, in a folder and on a loopback port of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import asyncpg  # pyright: ignore[reportMissingTypeStubs] - it has no types
import pytest

from tests.integration.bridge.parts import free_port, until


@dataclass
class Database:
    """A PostgreSQL of the tests' own; `url()` is a new empty database."""

    port: int
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
    data, port = folder / "data", free_port()
    command = [binaries / "initdb", "-D", data, "-U", "sentinel", "-E", "UTF8", "-A", "scram-sha-256", "--no-sync"]
    subprocess.run([*command, f"--pwfile={password}"], check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)
    options = ("listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={folder}", "fsync=off")
    server = subprocess.Popen(
        [binaries / "postgres", "-D", data, *(argument for option in options for argument in ("-c", option))],
        user=user,
        cwd=folder,
        stderr=(folder / "log").open("w"),
    )
    try:
        until(lambda: "ready to accept" in (folder / "log").read_text(), "PostgreSQL accepts connections")
        yield Database(port)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)
        shutil.rmtree(folder)


def _postgres_binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found and os.geteuid() == 0:
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", "postgresql"], check=True)
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        pytest.fail("These tests need PostgreSQL: install Debian's package postgresql.")
    return found[-1]
