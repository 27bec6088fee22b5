"""`postgres password`: the database's role has the password that its container's file holds.

The image reads that file when it first makes the data folder and never again, so a changed secret reaches the role
here.

Owns: the role's password. Deliberately does not: see it. The database's own client reads it inside the container, over
the server's socket, which asks the container's own user for nothing.
"""

from __future__ import annotations

from typing import Any

from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.docker import containers
from hostctl.docker.engine import Engine

SECONDS = 30.0
_STATEMENTS = (
    r"\set ON_ERROR_STOP on",
    r"\set password `cat {file}`",
    # The server may be told to log statements, or log one that failed, with the password in it.
    "SET log_min_error_statement = panic;",
    "SET log_statement = 'none';",
    "ALTER ROLE CURRENT_USER PASSWORD :'password';",
)
_RUN = 'printf "%s\\n" "$@" | psql -qX -h /run/postgresql -U "$PGROLE" -d "$PGNAME"'


def password(document: Document) -> dict[str, Any]:
    """Set it, whatever it was before; raises Refusal when the server does not take it."""
    engine, name = Engine(document.text("docker_socket")), document.text("container")
    found = containers.find(engine, name, {})
    if found is None or not found.running:
        raise Refusal(f"the container {name} does not run, so its role's password cannot be set: run 'pulumi up' again")
    role, database, file = document.text("role"), document.text("database"), document.text("password_file")
    statements = [line.format(file=file) for line in _STATEMENTS]
    words = ["env", f"PGROLE={role}", f"PGNAME={database}", "sh", "-eu", "-c", _RUN, "sh", *statements]
    status, _ = engine.inside(found.id, words, SECONDS)
    if status:
        # What psql says may quote a statement, and with it the secret.
        raise Refusal(f"Postgres in {name} refused to change the password of {role}: see 'docker logs {name}'")
    return {"role": role, "set": True}
