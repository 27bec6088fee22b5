"""`postgres password`: give the database's role the password in its container's file.

The image reads that file when it first makes the data folder and never again, so a changed secret reaches the role
here.

Owns: the role's password. Deliberately does not: hold it. The database's own client reads it inside the container, over
the server's socket, which demands nothing of the container's own user.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hostctl.core.errors import Refusal
from hostctl.docker import containers
from hostctl.docker.engine import Engine

SECONDS = 30.0
_STATEMENTS = (
    r"\set ON_ERROR_STOP on",
    r"\set password `cat {file}`",
    # The server may be configured to log statements, or log one that failed, with the password in it.
    "SET log_min_error_statement = panic;",
    "SET log_statement = 'none';",
    "ALTER ROLE CURRENT_USER PASSWORD :'password';",
)
_RUN = 'printf "%s\\n" "$@" | psql -qX -h /run/postgresql -U "$PGROLE" -d "$PGNAME"'


@dataclass(frozen=True)
class PasswordRequest:
    """The role, a database that it may connect to, and the password's file inside the container."""

    container: str
    role: str
    database: str
    password_file: str
    docker_socket: str = ""


def password(request: PasswordRequest) -> dict[str, Any]:
    """Set the password, whatever it was before; raises Refusal when the server does not take it."""
    engine, name, role = Engine(request.docker_socket), request.container, request.role
    container = containers.find(engine, name, {})
    if container is None or not container.running:
        raise Refusal(f"the container {name} does not run, so its role's password cannot be set: run 'pulumi up' again")
    statements = [line.format(file=request.password_file) for line in _STATEMENTS]
    argv = ["env", f"PGROLE={role}", f"PGNAME={request.database}", "sh", "-eu", "-c", _RUN, "sh", *statements]
    status, _ = engine.inside(container.id, argv, SECONDS)
    if status:
        # The output of psql may quote a statement, and with it the secret.
        raise Refusal(f"Postgres in {name} refused to change the password of {role}: see 'docker logs {name}'")
    return {"role": role, "set": True}
