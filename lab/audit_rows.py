"""Rows of the audit log in any number, each with every column that the gateway fills and as long as a real one."""

from __future__ import annotations


def insert(count: int, subject: str, timestamp: str, text: str) -> str:
    """One statement for `count` rows. `timestamp` and `text` are SQL, in which `number` counts from 0."""
    call = f"json_build_object('name', 'read_query', 'arguments', json_build_object('query', {text}, 'number', number))"
    return (
        "INSERT INTO audit_log (request_id, timestamp, client_subject, client_role, tool_name, backend_name, "
        f"request_args, response_status, latency_ms) SELECT gen_random_uuid(), {timestamp}, '{subject}', 'admin', "
        f"'tool-' || number % 40, 'sqlite', {call}, 'success', number % 900 "
        f"FROM generate_series(0, {count} - 1) AS number;"
    )
