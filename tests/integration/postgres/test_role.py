"""`hostctl postgres role` on a real server: the gateway owns its tables and is no superuser, on new data and on old."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import asyncpg  # pyright: ignore[reportMissingTypeStubs] - it has no types
import pytest

from hostctl.core.errors import Refusal
from hostctl.postgres import role as verb
from tests.integration.bridge.parts import running_bridge
from tests.integration.postgres.conftest import ADMIN, Server

OLD = """
    CREATE TABLE audit_log (id bigserial PRIMARY KEY, number int GENERATED ALWAYS AS IDENTITY, "timestamp" timestamptz);
    INSERT INTO audit_log ("timestamp") SELECT now() FROM generate_series(1, 20);
    CREATE INDEX by_time ON audit_log ("timestamp");
    CREATE VIEW latest AS SELECT max(id) FROM audit_log;
    CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM audit_log;
    CREATE SEQUENCE alone;
    CREATE TYPE verdict AS ENUM ('good', 'bad');
    CREATE TYPE pair AS (a int, b text);
    CREATE DOMAIN small AS int CHECK (VALUE < 10);
    CREATE SCHEMA "Other one";
    CREATE TABLE "Other one"."A table" (id int);
    CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n';
    CREATE ROLE reports;
    CREATE TABLE theirs (id int);
    ALTER TABLE theirs OWNER TO reports;
"""
"""Objects that earlier gateways and an operator may have made as superuser."""
OWNERS = """
    SELECT relname::text, relowner::regrole::text FROM pg_class WHERE oid >= 16384 AND relkind <> 't'
    AND relnamespace <> 'pg_toast'::regnamespace
    UNION ALL SELECT typname::text, typowner::regrole::text FROM pg_type WHERE oid >= 16384
    AND typnamespace <> 'pg_toast'::regnamespace
    UNION ALL SELECT proname::text, proowner::regrole::text FROM pg_proc WHERE oid >= 16384
    UNION ALL SELECT nspname::text, nspowner::regrole::text FROM pg_namespace WHERE oid >= 16384
"""
FORBIDDEN = {
    "a program of the host": "COPY (SELECT 1) TO PROGRAM 'cat'",
    "a program's output": "CREATE TABLE x (l text); COPY x FROM PROGRAM 'id'",
    "a file of the server's": "SELECT pg_read_file('/etc/passwd')",
    "another role": "CREATE ROLE backdoor LOGIN",
    "its own promotion": "ALTER ROLE sentinel SUPERUSER",
    "the passwords": "SELECT rolpassword FROM pg_authid",
    "another database": "CREATE DATABASE hidden",
    "the server's settings": "ALTER SYSTEM SET log_statement = 'all'",
    "the administrator": f"SET ROLE {ADMIN}",
    "the administrator's password": f"ALTER ROLE {ADMIN} PASSWORD 'known'",
}


def test_the_gateways_role_owns_its_tables_and_nothing_of_the_server(server: Server) -> None:
    server.script(OLD)
    assert server.set() == {"role": "sentinel", "admin": ADMIN, "exchanged": True}
    for name, statement in FORBIDDEN.items():
        with pytest.raises(cast(Any, asyncpg).InsufficientPrivilegeError):
            server.script(statement)
            pytest.fail(f"the gateway may have {name}")
    owners = dict(server.admin(OWNERS))
    assert {name for name, owner in owners.items() if owner != "sentinel"} == {"theirs", "_theirs"}
    assert {owners["theirs"], owners["_theirs"]} == {"reports"}
    assert server.gateway("SELECT count(*), twice(2) FROM audit_log") == [(20, 4)]
    server.script(
        "CREATE TABLE later (id int); ALTER TABLE audit_log ADD extra text; CREATE INDEX by_id ON audit_log (number); "
        "DROP VIEW latest; INSERT INTO audit_log (extra) VALUES ('x'); DROP TABLE later"
    )
    assert server.admin("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'sentinel'") == [("sentinel",)]


def test_a_second_run_changes_nothing_and_a_changed_password_reaches_the_role(server: Server) -> None:
    server.script(OLD)
    server.set()
    before = server.admin(OWNERS), server.admin("SELECT oid, rolname FROM pg_authid ORDER BY 1")
    server.file.write_text("another-one")
    assert server.set()["exchanged"] is False
    assert (server.admin(OWNERS), server.admin("SELECT oid, rolname FROM pg_authid ORDER BY 1")) == before
    with pytest.raises(cast(Any, asyncpg).InvalidPasswordError):
        server.gateway("SELECT 1")
    server.file.write_text("of-the-tests")
    server.set()
    assert server.gateway("SELECT 1") == [(1,)]


def test_the_administrator_has_no_password(server: Server) -> None:
    server.set()
    assert server.admin(f"SELECT rolpassword, rolsuper FROM pg_authid WHERE rolname = '{ADMIN}'") == [(None, True)]
    with pytest.raises(cast(Any, asyncpg).InvalidPasswordError):
        server.database.query(server.url.replace("//sentinel:", f"//{ADMIN}:"), "SELECT 1")


def test_the_databases_that_restores_kept_are_the_gateways_too_and_another_is_not(server: Server) -> None:
    for name in ("sentinel_before_20261127t101500", "sentinel_of_mine"):
        server.gateway(f"CREATE DATABASE {name}")
        server.gateway("CREATE TABLE audit_log (id int)", name)
    server.set()
    assert server.gateway("SELECT * FROM audit_log", "sentinel_before_20261127t101500") == []
    with pytest.raises(cast(Any, asyncpg).InsufficientPrivilegeError):
        server.gateway("SELECT * FROM audit_log", "sentinel_of_mine")


def test_a_table_in_use_refuses_the_run_and_nothing_is_changed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.script(OLD)
    roles, owners = server.admin("SELECT oid, rolname, rolpassword FROM pg_authid", user="sentinel"), None
    owners = server.admin(OWNERS, user="sentinel")
    monkeypatch.setattr(verb, "_BEGUN", ("BEGIN;", "SET LOCAL lock_timeout = '200ms';"))

    async def in_use() -> str:
        connection: Any = await cast(Any, asyncpg).connect(server.url)
        try:
            async with connection.transaction():
                await connection.execute("LOCK TABLE audit_log IN ACCESS SHARE MODE")
                with pytest.raises(
                    Refusal, match=r"in use for 5 s, by a backup perhaps.*nothing was changed"
                ) as refused:
                    await asyncio.to_thread(server.set)
                return str(refused.value)
        finally:
            await connection.close()

    assert "of-the-tests" not in asyncio.run(in_use())
    assert server.admin("SELECT oid, rolname, rolpassword FROM pg_authid", user="sentinel") == roles
    assert server.admin(OWNERS, user="sentinel") == owners
    assert server.set()["exchanged"] is True


def test_a_session_that_began_as_superuser_ends_between_two_statements_of_its(server: Server) -> None:
    async def sessions() -> str:
        idle: Any = await cast(Any, asyncpg).connect(server.url)
        busy: Any = await cast(Any, asyncpg).connect(server.url)
        finishing = asyncio.create_task(busy.fetchval("SELECT 'finished' FROM pg_sleep(1)"))
        while not await idle.fetchval("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%finished%pg_sleep%'"):
            await asyncio.sleep(0.05)
        await asyncio.to_thread(server.set)
        answer = str(await finishing)
        # The third is the client's own, about an end that it has received and not yet handled.
        kinds = ("PostgresError", "InterfaceError", "InternalClientError")
        for connection in (idle, busy):
            with pytest.raises(tuple(getattr(cast(Any, asyncpg), kind) for kind in kinds)):
                await connection.fetchval("SELECT 1")
        return answer

    assert asyncio.run(sessions()) == "finished"
    left = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'sentinel_admin' AND client_addr IS NOT NULL"
    assert server.gateway(left) == [(0,)]


@pytest.mark.parametrize("old", [False, True], ids=["new-data", "data-of-a-superuser"])
def test_the_gateway_migrates_and_writes_rows_as_such_a_role(server: Server, tmp_path: Path, old: bool) -> None:
    if old:
        with running_bridge(tmp_path, [], server.url):
            pass
    server.set()
    with running_bridge(tmp_path, [], server.url):
        pass
    assert server.gateway("SELECT count(*) FROM audit_log") == [(0,)]
    assert server.gateway("SELECT tableowner FROM pg_tables WHERE tablename = 'audit_log'") == [("sentinel",)]
