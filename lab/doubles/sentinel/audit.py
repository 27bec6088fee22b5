"""The audit log in PostgreSQL: migrations at every start, then a writer behind the calls.

Owns: `audit_log`, its indexes, the bookkeeping table `_sqlx_migrations` as sqlx writes it, and how rows are lost: one
that cannot be written within 5 s is dropped, and so is what comes while 1,024 wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import uuid
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

import asyncpg  # pyright: ignore[reportMissingTypeStubs]

from .log import Log
from .problems import StartRefused

ACQUIRE_SECONDS = 5.0
_WAITING_ROWS = 1024
_TIMED_OUT = "pool timed out while waiting for an open connection"
_CHECKSUM = bytes.fromhex(
    "c422d746f02623066e3d365a13466e3efbe0df60e60a8aa8ec7e5a62e99d2632e8613c99316926c61068830c003244d9"
)
"""The published migration's, so that either gateway takes a database which the other has migrated."""
_COLUMNS = """
    CREATE TABLE IF NOT EXISTS audit_log (
        id bigserial PRIMARY KEY, request_id uuid NOT NULL, timestamp timestamptz NOT NULL DEFAULT now(),
        client_subject text NOT NULL, client_role text NOT NULL, tool_name text NOT NULL, backend_name text NOT NULL,
        request_args jsonb, response_status text NOT NULL, error_message text, latency_ms bigint NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now());
"""
_INDEXED = ("timestamp", "request_id", "client_subject", "tool_name")
_MIGRATION = _COLUMNS + "".join(f"CREATE INDEX idx_audit_log_{name} ON audit_log ({name});\n" for name in _INDEXED)
_BOOKKEEPING = """
    CREATE TABLE IF NOT EXISTS _sqlx_migrations (
        version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),
        success BOOLEAN NOT NULL, checksum BYTEA NOT NULL, execution_time BIGINT NOT NULL)
"""
_APPLIED = """
    INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
    VALUES (1, 'create audit log', true, $1, 0)
"""
_INSERT = """
    INSERT INTO audit_log (request_id, timestamp, client_subject, client_role, tool_name, backend_name,
                           request_args, response_status, error_message, latency_ms)
    VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb, $8, $9, $10)
"""
_MIGRATION_LOCK = 9201
_LOG = Log("audit::writer")


class Row(NamedTuple):
    """One finished call, in the order of the insert's columns. `request_args` is JSON text."""

    request_id: uuid.UUID
    timestamp: datetime
    client_subject: str
    client_role: str
    tool_name: str
    backend_name: str
    request_args: str | None
    response_status: str
    error_message: str | None
    latency_ms: int


def now() -> datetime:
    return datetime.now(UTC)


class AuditLog:
    """One connection, one queue, one row after the other."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Any = None
        self._rows: asyncio.Queue[Row | None] = asyncio.Queue(_WAITING_ROWS)
        self._writer: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connects, migrates, starts the writer; raises StartRefused when the database cannot be used."""
        await self._connect_at_start()
        await _migrate(self._connection)
        Log("audit::db").info("Database migrations complete")
        self._writer = asyncio.create_task(self._write())

    def add(self, row: Row) -> None:
        try:
            self._rows.put_nowait(row)
        except asyncio.QueueFull:
            Log("gateway").warn("Audit channel full, dropping entry", error="no available capacity")

    async def close(self) -> None:
        """Writes what waits, each row with its own 5 s."""
        await self._rows.put(None)
        if self._writer is not None:
            await self._writer

    async def _connect_at_start(self) -> None:
        try:
            await self._acquire()
        except TimeoutError as error:
            raise StartRefused(_TIMED_OUT) from error
        except socket.gaierror as error:
            cause = f"failed to lookup address information: {error.strerror}"
            raise StartRefused(f"error communicating with database: {cause}", cause) from error
        except asyncpg.PostgresError as error:
            raise StartRefused(f"error returned from database: {error}", str(error)) from error
        except (asyncpg.InterfaceError, ValueError) as error:
            cause = str(error) if "://" in self._url else "relative URL without a base"
            raise StartRefused(f"error with configuration: {cause}", cause) from error

    async def _acquire(self) -> None:
        """A connection that answers, within 5 s; a refused one is tried again and again until then."""
        async with asyncio.timeout(ACQUIRE_SECONDS):
            await self._ping_idle()
            while self._connection is None or self._connection.is_closed():
                try:
                    self._connection = await cast("Any", asyncpg).connect(self._url, timeout=60)
                except socket.gaierror:
                    raise
                except (ConnectionError, asyncpg.CannotConnectNowError):
                    await asyncio.sleep(0.1)

    async def _ping_idle(self) -> None:
        if self._connection is None:
            return
        kept, self._connection = self._connection, None
        try:
            await kept.execute("SELECT 1")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            cause = "error communicating with database: expected to read 5 bytes, got 0 bytes at EOF"
            Log.of("sqlx_core::pool::inner").info("ping on idle connection returned error", error=cause)
        except BaseException:
            kept.terminate()
            raise
        else:
            self._connection = kept

    async def _write(self) -> None:
        while row := await self._rows.get():
            try:
                await self._acquire()
                await self._connection.execute(_INSERT, *row)
            except TimeoutError:
                _LOG.error("Failed to write audit log", error=_TIMED_OUT)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
                _LOG.error("Failed to write audit log", error=f"error returned from database: {error}")
        if self._connection is not None:
            self._connection.terminate()
        _LOG.info("Audit writer shutting down")


async def _migrate(connection: Any) -> None:
    """Applies what is missing; gateways that start together wait for each other, as with sqlx."""
    step = "while executing migrations"
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _MIGRATION_LOCK)
        await connection.execute(_BOOKKEEPING)
        applied = {row["version"]: row["checksum"] for row in await connection.fetch("SELECT * FROM _sqlx_migrations")}
        if unknown := applied.keys() - {1}:
            said = f"migration {min(unknown)} was previously applied but is missing in the resolved migrations"
            raise StartRefused(said)
        if applied.get(1, _CHECKSUM) != _CHECKSUM:
            raise StartRefused("migration 1 was previously applied but has been modified")
        if not applied:
            step = "while executing migration 1"
            async with connection.transaction():
                await connection.execute(_MIGRATION)
                await connection.execute(_APPLIED, _CHECKSUM)
    except asyncpg.PostgresError as error:
        cause = f"error returned from database: {error}"
        raise StartRefused(f"{step}: {cause}", cause) from error
    finally:
        with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError):
            await connection.execute("SELECT pg_advisory_unlock($1)", _MIGRATION_LOCK)
