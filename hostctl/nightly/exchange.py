"""The exchange of two databases' names, and the end of one that was cut off.

    nobody may connect, connections end  ->  both renamed at once  ->  open again

A power cut in between leaves a database that nobody may connect to. Every command on backups opens it again first, and
so does the next run, by the record that the exchange leaves while it lasts.

Deliberately does not: restore into a database, or remove one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hostctl.core.errors import Refusal
from hostctl.postgres.psql import MAINTENANCE, Database, DatabaseRequest

_TRIES = 5


@dataclass(frozen=True)
class ReopenRequest:
    """The live database."""

    database: DatabaseRequest
    docker_socket: str = ""


def reopen(request: ReopenRequest) -> dict[str, Any]:
    """`backup reopen`: let everybody connect again after a restore that was cut off. Raises Refusal."""
    open_again(Database.connect(request.docker_socket, request.database))
    return {"database": request.database.name}


def exchange(database: Database, kept: str) -> None:
    """Give the restored database the live one's name, and the live one the name `kept`. Raises Refusal."""
    name, restored = database.name, beside(database)
    for left in range(_TRIES, 0, -1):
        try:
            maintain(
                database,
                f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false;',
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' \\g /dev/null",
                "BEGIN;",
                f'ALTER DATABASE "{name}" RENAME TO "{kept}";',
                f'ALTER DATABASE "{restored}" RENAME TO "{name}";',
                "COMMIT;",
            )
            break
        except Refusal:
            if left == 1:
                open_again(database)
                raise
    open_again(database)


def open_again(database: Database) -> None:
    """Let everybody connect to the live database and to those that restores have kept; no change where they may."""
    maintain(
        database,
        "SELECT format('ALTER DATABASE %I ALLOW_CONNECTIONS true', datname) FROM pg_database WHERE NOT datallowconn "
        f"AND (datname = '{database.name}' OR datname LIKE '{database.name}\\_before\\_%') \\gexec",
    )


def beside(database: Database) -> str:
    """The name of the database that is being restored."""
    return f"{database.name}_restoring"


def maintain(database: Database, *lines: str) -> None:
    database.run(lines, "exchanging the databases", name=MAINTENANCE)
