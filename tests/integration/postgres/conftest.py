"""A real PostgreSQL as the image leaves it: the gateway's role is its superuser, and owns everything."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import asyncpg  # pyright: ignore[reportMissingTypeStubs] - it has no types
import pytest

from hostctl.docker.containers import Container
from hostctl.postgres import psql
from hostctl.postgres.role import RoleRequest, role
from lab.real.postgres import Database, running_postgres

ADMIN, ROLE, NAME = "sentinel_admin", "sentinel", "sentinel"


@dataclass(frozen=True)
class Here:
    """Docker's `exec`, with this machine in place of the container."""

    port: int

    def inside(self, container: str, command: Sequence[str], seconds: float) -> tuple[int, str]:
        done = subprocess.run(
            command,
            env={**os.environ, "PGPORT": str(self.port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
        )
        return done.returncode, done.stdout


@dataclass(frozen=True)
class Server:
    """The server, the password's file as its container has it, and `url`, with which the gateway connects."""

    database: Database
    file: Path

    @property
    def url(self) -> str:
        return self.database.address(NAME)

    def set(self) -> dict[str, Any]:
        return role(RoleRequest("sentinel-postgres", ROLE, ADMIN, NAME, str(self.file)))

    def gateway(self, statement: str, name: str = NAME) -> list[tuple[Any, ...]]:
        """The answer to the gateway's role, over the network."""
        return self.database.query(self.database.address(name), statement)

    def script(self, statements: str, name: str = NAME) -> None:
        """Several statements of the gateway's role, over the network."""

        async def run() -> None:
            connection: Any = await cast(Any, asyncpg).connect(self.database.address(name))
            try:
                await connection.execute(statements)
            finally:
                await connection.close()

        asyncio.run(run())

    def admin(self, statement: str, name: str = NAME, user: str = ADMIN) -> list[tuple[Any, ...]]:
        """The answer to the administrator, on the socket."""
        database = self.database
        return database.query(f"postgres://{user}@/{name}?host={database.folder}&port={database.port}", statement)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Server]:
    with running_postgres() as database:
        database.query(database.address("postgres"), f"CREATE DATABASE {NAME}")
        found = Container(id="c", name="sentinel-postgres", running=True)

        def container(engine: object, reference: str) -> Container:
            return found

        def engine(socket: str) -> Here:
            return Here(database.port)

        monkeypatch.setattr(psql.containers, "find", container)
        monkeypatch.setattr(psql, "Engine", engine)
        monkeypatch.setattr(psql, "SOCKET", str(database.folder))
        file = tmp_path / "postgres_password"
        file.write_text("of-the-tests")
        yield Server(database, file)
