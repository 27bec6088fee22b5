"""A Postgres of the operator's, in a container of PostgreSQL's official image or one that is configured like it.

Source: the image's documentation, "Environment Variables".
"""

from __future__ import annotations

from hostctl.core.documents import rows
from hostctl.docker.engine import Engine

NAMES = 'user="${POSTGRES_USER:-postgres}"; base="${POSTGRES_DB:-$user}"'
"""A line of shell inside the container: the superuser's name and the database's."""


def is_postgres(engine: Engine, container: str) -> bool:
    """True for such a container."""
    variables = rows(engine.get(f"/containers/{container}/json")["Config"].get("Env"))
    return bool({"POSTGRES_USER", "PGDATA"} & {str(line).partition("=")[0] for line in variables})
