"""Sentinel's database, queried inside its container over the server's own socket, which demands no password there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hostctl.core.documents import parsed
from hostctl.core.errors import Refusal
from hostctl.docker import containers
from hostctl.docker.engine import Engine

SOCKET = "/run/postgresql"
SECONDS = 300.0
MAINTENANCE = "postgres"
"""The database that every server has, open also while a restore keeps everybody from the gateway's."""
COUNTS = (
    "SET TIME ZONE 'UTC';",
    "SELECT format('SELECT json_build_object(''table'', %L, ''rows'', count(*)) FROM %I.%I', "
    "schemaname || '.' || tablename, schemaname, tablename) FROM pg_tables "
    r"WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1 \gexec",
    """SELECT 'SELECT json_build_object(''newest'', max("timestamp")) FROM audit_log' """
    r"WHERE to_regclass('audit_log') IS NOT NULL \gexec",
)
"""psql's lines that print the rows of each table and the newest of the audit log, a JSON object a line."""

WHOLE = "(the output is whole)"
"""The last line of each query's output. On a machine so busy that a command's output waits for more than two seconds
after its end, Docker closes the stream without it (moby 20.10, `daemon/monitor.go`), and the exit code is 0 all the
same."""

END = rf"\echo {WHOLE}"
"""psql's command that prints it."""

RUN = 'printf "%s\\n" "$@" | psql -qXAt -v ON_ERROR_STOP=1 -h "$PGSOCKET" -U "$PGROLE" -d "$PGNAME"'


@dataclass(frozen=True)
class Counts:
    """The facts by which a dump is compared: {"public.audit_log": 120}, and the audit log's newest timestamp or ""."""

    rows: dict[str, int] = field(default_factory=lambda: {})
    newest: str = ""

    @classmethod
    def of(cls, text: str) -> Counts:
        """From the lines that `COUNTS` printed; other lines are left out."""
        objects = [line for line in map(parsed, text.splitlines()) if line is not None]
        rows = {str(line["table"]): int(line["rows"]) for line in objects if "table" in line}
        return cls(rows, next((str(line["newest"] or "") for line in objects if "newest" in line), ""))


@dataclass(frozen=True)
class DatabaseRequest:
    """One database by its container's name; `role` owns it, and `uid` is the image's own user.

    `admin` is the superuser that connects in its place, where the server has it: see `hostctl/postgres/role.py`.
    """

    container: str
    role: str
    name: str
    uid: int = 0
    admin: str = ""


NO_DATABASE = DatabaseRequest("", "", "")


@dataclass(frozen=True)
class Database:
    """One database of one running container; `role` connects, and `uid` is the image's own user."""

    engine: Engine
    container: str
    role: str
    name: str
    image: str
    uid: int

    @classmethod
    def connect(cls, docker_socket: str, request: DatabaseRequest) -> Database:
        """The requested database; raises Refusal when its container does not run."""
        engine, name = Engine(docker_socket), request.container
        container = containers.find(engine, name)
        if container is None or not container.running or container.paused:
            raise Refusal(
                f"the container {name} does not run or is paused, so its database does not answer: "
                f"'docker start {name}' or 'docker unpause {name}', then run again"
            )
        database = cls(engine, container.id, request.role, request.name, container.image, request.uid)
        if not request.admin:
            return database
        present = f"SELECT rolname FROM pg_roles WHERE rolname = '{request.admin}';"
        roles = database.run([present], "reading its roles", name=MAINTENANCE).split()
        return replace(database, role=request.admin) if roles else database

    def argv(self, lines: Sequence[str], name: str = "") -> list[str]:
        """The command that feeds these lines to psql, on the database `name` where that is not this one."""
        variables = [f"PGSOCKET={SOCKET}", f"PGROLE={self.role}", f"PGNAME={name or self.name}"]
        return ["env", *variables, "sh", "-eu", "-c", RUN, "sh", *lines]

    def run(self, lines: Sequence[str], doing: str, seconds: float = SECONDS, name: str = "") -> str:
        """The output of psql; raises Refusal with `doing` and psql's first complaint, or where Docker lost output."""
        command = self.argv([*lines, END], name)
        status, output = self.engine.inside(self.container, command, seconds)
        if status:
            raise Refusal(f"Postgres refused while {doing} ({complaint(output) or f'exit code {status}'})")
        return whole(output, doing)

    def counts(self) -> Counts:
        return Counts.of(self.run(COUNTS, "counting its rows"))


def whole(output: str, doing: str) -> str:
    """The output without the line that `END` printed; raises Refusal where Docker lost that line, and maybe others."""
    before, found, after = output.partition(f"{WHOLE}\n")
    if not found:
        raise Refusal(f"Docker lost the answer of Postgres while {doing}, as it does on a busy machine: run again")
    return before + after


def complaint(output: str) -> str:
    """The first line that reports an error, else the last one."""
    lines = [line.strip() for line in output.splitlines() if line.strip() and parsed(line) is None]
    return next((line for line in lines if "error" in line.lower() or "fatal" in line.lower()), "".join(lines[-1:]))


def as_document(counts: Counts) -> dict[str, Any]:
    return {"rows": counts.rows, "newest": counts.newest}
