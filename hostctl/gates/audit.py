"""`gates audit`: the rows that the gateway has written to its audit log, by tool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hostctl.core.documents import parsed
from hostctl.postgres.psql import Database, DatabaseRequest


@dataclass(frozen=True)
class AuditRequest:
    """The gateway's database; rows count whose id is above `after`."""

    database: DatabaseRequest
    seconds: float
    after: int = 0
    docker_socket: str = ""


def audit(request: AuditRequest) -> dict[str, Any]:
    """{"last": the newest row's id, "rows": {tool: number}}."""
    database = Database.connect(request.docker_socket, request.database)
    lines = [
        "select json_build_object('last', coalesce(max(id), 0)) from audit_log;",
        "select json_build_object('tool', tool_name, 'rows', count(*)) from audit_log "
        f"where id > {request.after} group by tool_name;",
    ]
    output = database.run(lines, "reading the gateway's audit log", request.seconds)
    found = [line for line in map(parsed, output.splitlines()) if line is not None]
    return {
        "last": next((int(line["last"]) for line in found if "last" in line), 0),
        "rows": {str(line["tool"]): int(line["rows"]) for line in found if "tool" in line},
    }
