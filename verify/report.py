"""A verification as a table for a person, the same from the engine and from `make verify`, and as an exit code."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from console.table import columns

from . import runbook
from .outcome import Result

EXIT_CODES: dict[Result, int] = {"ok": 0, "auth": 3, "unreachable": 4, "missing": 5, "tool-error": 6, "differs": 7}
"""1 is the user's error. Of several results the first in this order decides."""
PART_CODES = {"claude": 8, "tokens": 9, "compared": 10, "bindings": 11, "as_declared": 12, "firewall": 13}
"""Of a verification whose backends all answer."""


def text(verified: Mapping[str, Any]) -> str:
    """A verification for a person: the table of all backends, links for its results, one line for each other part."""
    rows = [
        (row["name"], row["tool"], row["result"], str(row["ms"]), _why(row))
        for row in cast("list[dict[str, Any]]", verified["backends"])
    ]
    parts = [f"{part:<9} {_part(verified[part])}" for part in PART_CODES if part in verified]
    links = _links([row["result"] for row in _failures(verified)])
    return "\n".join(
        [
            *columns([("backend", "tool", "result", "ms", ""), *rows]),
            *links,
            *parts,
            f"{verified['active']}: {'ok' if verified['ok'] else 'not ok'}",
        ]
    )


def not_ok(verified: Mapping[str, Any]) -> str:
    """The failures in one line, such as `sqlite is unreachable (docs/runbook.md#…); bindings not ok`."""
    backends = [f"{row['name']} is {row['result']} ({runbook.of_result(row['result'])})" for row in _failures(verified)]
    return "; ".join([*backends, *(f"{part} not ok" for part in _parts_not_ok(verified))])


def exit_code_of(verified: Mapping[str, Any]) -> int:
    """The exit code of a verification; the backends' results come first, since they say more."""
    codes = {EXIT_CODES[cast(Result, row["result"])] for row in _failures(verified)}
    parts = {PART_CODES[part] for part in _parts_not_ok(verified)}
    return min(codes or parts, default=0)


def _parts_not_ok(verified: Mapping[str, Any]) -> list[str]:
    """The failed parts among those in the document."""
    return [part for part in PART_CODES if part in verified and not verified[part]["ok"]]


def _failures(verified: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of backends that failed and were not allowed to."""
    rows = cast("list[dict[str, Any]]", verified["backends"])
    return [row for row in rows if row["result"] != "ok" and "why_allowed" not in row]


def _links(results: Sequence[str]) -> list[str]:
    """One line for each result other than `ok`."""
    return [f"{result}: {runbook.of_result(result)}" for result in dict.fromkeys(results) if result != "ok"]


def _why(row: Mapping[str, Any]) -> str:
    return "; ".join(str(row[key]) for key in ("why_allowed", "detail") if row.get(key))


def _part(part: Mapping[str, Any]) -> str:
    """`ok` and the details of a part, without empty lists and maps of names; or the reason why it was not checked."""
    if part.get("not_checked"):
        return f"not checked: {part['not_checked']}"
    details = [
        f"{key.replace('_', ' ')}: {_detail(value)}"
        for key, value in part.items()
        if key not in ("ok", "renamed", "tried") and value
    ]
    return " · ".join(["ok" if part["ok"] else "NOT OK", *details])


def _detail(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in cast("list[Any]", value))
    return value if isinstance(value, str) else json.dumps(value)
