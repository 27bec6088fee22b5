"""Sessions in the predecessor's database of a process of it that has ended, whose locks the next one would wait for.

The database of a gateway that left the network between them does not hear of the gateway's end. It keeps such a
session, with the locks of a transaction that was open at that moment, for two hours by Linux's default, and
ContextForge waits at its start for the rows that it locks (measured).

Deliberately does not: end a session of the server's own socket, such as an operator's psql, or one that is at work.
Source: PostgreSQL's manual, "The Statistics Collector", pg_stat_activity.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from hostctl.core.errors import Refusal
from hostctl.docker.engine import Engine
from hostctl.postgres.operators import NAMES, is_postgres
from hostctl.postgres.psql import END, SOCKET, complaint, whole

LIMIT_SECONDS, EXEC_SECONDS, POLL_SECONDS = 5.0, 10.0, 0.25
_ORPHANED = (
    "backend_type = 'client backend' AND client_addr IS NOT NULL AND datname = current_database() "
    "AND xact_start < :'started'"
)
_QUERY = (
    "SELECT count(*) FILTER (WHERE state ~ '^idle in transaction' AND pg_terminate_backend(pid)), "
    f"count(*) FILTER (WHERE wait_event_type = 'Lock') FROM pg_stat_activity WHERE {_ORPHANED};"
    f"\n{END}"
)
_PSQL = (
    f'{NAMES}; printf "%s\\n" "$1" '
    f'| psql -qXAtw -F " " -v ON_ERROR_STOP=1 -v started="$2" -h {SOCKET} -U "$user" -d "$base"'
)


def end(engine: Engine, gateway: str, siblings: Sequence[str]) -> int:
    """The number of sessions ended of those that are older than the gateway's process; what fails is reported only."""
    ended = 0
    try:
        started = str(engine.get(f"/containers/{gateway}/json")["State"]["StartedAt"])
        for sibling in siblings:
            if is_postgres(engine, sibling):
                ended += _ended(engine, sibling, started)
    except Refusal as refusal:
        print(f"sessions that ContextForge left in its database: {refusal}", file=sys.stderr, flush=True)
    if ended:
        print(f"ended {ended} of ContextForge's former sessions in its database, which held locks", file=sys.stderr)
    return ended


def _ended(engine: Engine, database: str, started: str) -> int:
    # The end of one may let another one go on, which then is idle with locks of its own.
    total, deadline = 0, time.monotonic() + LIMIT_SECONDS
    while True:
        command = ["sh", "-c", _PSQL, "sh", _QUERY, started]
        code, output = engine.inside(database, command, EXEC_SECONDS)
        if code:
            raise Refusal(complaint(output) or f"psql ended with exit code {code}")
        ended, waiting = map(int, whole(output, "ending them").split())
        total += ended
        if not (ended or waiting) or time.monotonic() > deadline:
            return total
        time.sleep(POLL_SECONDS)
