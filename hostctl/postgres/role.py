"""`postgres role`: the gateway's role has the password in its container's file, owns its tables, and is no superuser.

The image makes one role, the superuser that no server can be without, and the gateway connects by that role's name. So
the superuser gets another name and loses its password, which leaves it the server's own socket; a new role has the
former name, and all that was made in the gateway's databases. One transaction does it: a run that is killed has changed
nothing. The image reads the password's file only when it makes the data folder, so a changed one reaches the role here.

Owns: both roles. Deliberately does not: hold the password, which the database's own client reads inside the container,
or give away another role's objects, an extension's, or another database's.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hostctl.core.errors import Refusal
from hostctl.postgres.psql import Database, DatabaseRequest

SECONDS = 60.0
LOCK_SECONDS = 5
"""For which the tables are waited for: whoever comes to them meanwhile waits behind this."""
IDLE_SECONDS = 5.0
"""For which a session of the gateway's may be at a statement before it is closed all the same."""
POLL_SECONDS = 0.1

_KEPT = "SELECT datname FROM pg_database WHERE datallowconn AND datname LIKE '{name}\\_before\\_%' ORDER BY 1;"
"""The former databases that restores have kept, by which an operator may go back."""
_PASSWORD = (
    r"\set password `cat {file}`",
    # The server may be configured to log statements, or log one that failed, with the password in it.
    "SET log_min_error_statement = panic;",
    "SET log_min_duration_statement = -1;",
    "SET log_statement = 'none';",
)
_BEGUN = ("BEGIN;", f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s';")
_LIMITS = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'password'"
_EXCHANGED = (
    "CREATE ROLE {admin}_for_a_moment SUPERUSER;",
    # PostgreSQL renames nobody's own session.
    "SET SESSION AUTHORIZATION {admin}_for_a_moment;",
    "ALTER ROLE {role} RENAME TO {admin};",
    "ALTER ROLE {admin} PASSWORD NULL;",
    "CREATE ROLE {role} " + _LIMITS + ";",
    "SET SESSION AUTHORIZATION {admin};",
    "DROP ROLE {admin}_for_a_moment;",
)
_MADE = (
    "{oid} >= 16384 AND {owner} = '{{admin}}'::regrole "
    "AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = '{table}'::regclass AND objid = {oid} AND deptype IN {tied})"
)
"""An object of the administrator's that came after the server's own and belongs to no other object."""
_EXTENSIONS, _COLUMNS_TOO = "('e')", "('e', 'a', 'i')"
_OWNED = " UNION ALL ".join(
    (
        "SELECT format('SCHEMA %I', nspname) FROM pg_namespace WHERE nspname !~ '^pg_' AND "
        + _MADE.format(oid="pg_namespace.oid", owner="nspowner", table="pg_namespace", tied=_EXTENSIONS),
        "SELECT format('TABLE %s', oid::regclass) FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f') "
        "AND relpersistence <> 't' AND "
        + _MADE.format(oid="pg_class.oid", owner="relowner", table="pg_class", tied=_EXTENSIONS),
        "SELECT format('SEQUENCE %s', oid::regclass) FROM pg_class WHERE relkind = 'S' AND relpersistence <> 't' AND "
        + _MADE.format(oid="pg_class.oid", owner="relowner", table="pg_class", tied=_COLUMNS_TOO),
        "SELECT format('TYPE %s', oid::regtype) FROM pg_type WHERE (typtype IN ('e', 'd', 'r') OR typtype = 'c' AND "
        "(SELECT relkind FROM pg_class WHERE pg_class.oid = typrelid) = 'c') AND "
        + _MADE.format(oid="pg_type.oid", owner="typowner", table="pg_type", tied=_EXTENSIONS),
        "SELECT format('ROUTINE %s', oid::regprocedure) FROM pg_proc WHERE "
        + _MADE.format(oid="pg_proc.oid", owner="proowner", table="pg_proc", tied=_EXTENSIONS),
    )
)
_GIVEN = (
    "SELECT format('ALTER %s OWNER TO {role}', object) FROM (" + _OWNED + r") AS owned (object) \gexec",
    "SELECT format('ALTER DATABASE %I OWNER TO {role}', datname) FROM pg_database WHERE datname = current_database() "
    r"AND datdba = '{admin}'::regrole \gexec",
)
_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usesysid = '{admin}'::regrole "
    r"AND client_addr IS NOT NULL AND {which} \g /dev/null",
    "SELECT count(*) FROM pg_stat_activity WHERE usesysid = '{admin}'::regrole AND client_addr IS NOT NULL;",
)


@dataclass(frozen=True)
class RoleRequest:
    """The gateway's role, the administrator's name, the gateway's database, and the password's file in the container.

    `container_id` changes with the container, and with it the request: a new volume's role is the image's again.
    """

    container: str
    role: str
    admin: str
    database: str
    password_file: str
    container_id: str = ""
    docker_socket: str = ""


def role(request: RoleRequest) -> dict[str, Any]:
    """{"role", "admin", "exchanged": false where the role was no superuser before}; raises Refusal."""
    names = DatabaseRequest(request.container, request.role, request.database, admin=request.admin)
    database = Database.connect(request.docker_socket, names)
    exchanged = database.role == request.role
    first = _EXCHANGED if exchanged else ("ALTER ROLE {role} " + _LIMITS + ";",)
    _run(database, request, (*_BEGUN, *first, *_GIVEN, "COMMIT;"))
    if exchanged:
        database = Database.connect(request.docker_socket, names)
    for kept in database.run([_KEPT.format(name=database.name)], "reading its databases").split():
        _run(database, request, (*_BEGUN, *_GIVEN, "COMMIT;"), kept)
    _end_sessions(database, request)
    return {"role": request.role, "admin": request.admin, "exchanged": exchanged}


def _run(database: Database, request: RoleRequest, lines: Sequence[str], name: str = "") -> str:
    """The output of psql, which has the password as a variable; raises Refusal, which quotes no statement."""
    values = {"role": request.role, "admin": request.admin, "file": request.password_file}
    filled = [line.format(**values) for line in (*_PASSWORD, *lines)]
    status, output = database.engine.inside(database.container, database.argv(filled, name), SECONDS)
    if status and "lock timeout" in output:
        raise Refusal(
            f"a table in {request.container} was in use for {LOCK_SECONDS} s, by a backup perhaps, so its owner could "
            "not be changed: run again when that has ended; nothing was changed"
        )
    if status:
        # The output may quote a statement, and with it the secret.
        raise Refusal(
            f"Postgres in {request.container} refused to change the role {request.role}: "
            f"see 'docker logs {request.container}'"
        )
    return output


def _end_sessions(database: Database, request: RoleRequest) -> None:
    """End the sessions from the network that began as superuser, between two statements of theirs."""
    deadline = time.monotonic() + IDLE_SECONDS
    while True:
        late = time.monotonic() > deadline
        which = "true" if late else "state = 'idle'"
        left = int(_run(database, request, [line.replace("{which}", which) for line in _SESSIONS]))
        if late or not left:
            return
        time.sleep(POLL_SECONDS)
