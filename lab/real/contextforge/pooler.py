"""A variant of the predecessor: PgBouncer between ContextForge and Postgres, and a short limit for gunicorn's workers.

Upstream's own compose file has the pooler. With that limit the master kills a worker that was held up for so long,
which a longer one would hide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from lab.box import Box
from lab.real.contextforge import containers, files
from lab.real.contextforge.services import GATEWAY, Health, Service

WORKER_SECONDS = 20
POOLER = Service(
    "pgbouncer",
    "pgbouncer",
    Health(("CMD", "bash", "-c", "echo > /dev/tcp/127.0.0.1/6432")),
    environment={
        "DB_HOST": "postgres",
        "DB_USER": "${POSTGRES_USER}",
        "DB_PASSWORD": "${POSTGRES_PASSWORD}",
        "DB_NAME": "${POSTGRES_DB}",
        "LISTEN_PORT": "6432",
        "POOL_MODE": "transaction",
    },
    after=("postgres",),
)
BEHIND_POOLER = replace(
    GATEWAY,
    environment={
        **GATEWAY.environment,
        "DATABASE_URL": GATEWAY.environment["DATABASE_URL"].replace("@postgres:5432", f"@{POOLER.name}:6432"),
        "GUNICORN_TIMEOUT": str(WORKER_SECONDS),
    },
    after=(POOLER.name, "redis"),
)


def up(box: Box, images: Mapping[str, str], say: Callable[[str], None] = lambda doing: None) -> None:
    """Put the pooler in between and make the gateway again; the predecessor is up and serves."""
    with containers.client(box.docker_host) as daemon:
        containers.start(daemon, [POOLER, BEHIND_POOLER], images, files.environment(box), say)
