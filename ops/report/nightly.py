"""The nightly job's own records: `backup.json` and `restore-drill.json`, as the host keeps them.

Owns: reading their result, whatever else they hold. Deliberately does not: take a file's silence for a success.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ops.report import tables

Finding = tuple[Literal["proven", "disproved", "not checked"], str, tuple[tuple[str, str], ...]]
GOOD = {"good", "ok", "done", "proven", "verified"}
UNKNOWN = {"could not check", "could-not-check", "unknown", "not checked", "skipped"}


def finding(facts: Mapping[str, Any], key: str, name: str) -> Finding:
    """Verdict, sentence and every plain fact of the record."""
    record: Mapping[str, Any] | None = facts["seen"].get(key)
    if record is None:
        why = "the nightly job has not kept one yet" if facts["nightly"] else "nightly.enabled is false"
        return "not checked", f"The host keeps no {name}: {why}.", ()
    rows = tuple((member.replace("_", " "), _shown(value)) for member, value in record.items() if not _is_nested(value))
    result = record.get("result", record.get("ok", record.get("good")))
    if result is True or result in GOOD:
        return "proven", f"The host's own record of its last {name}{_when(record)} says so.", rows
    if result is None or result in UNKNOWN:
        return "not checked", f"The host's record of its last {name}{_when(record)} gives no result.", rows
    return "disproved", f"The host's record of its last {name}{_when(record)} says that it failed.", rows


def _when(record: Mapping[str, Any]) -> str:
    at = record.get("at")
    return f", {tables.moment(at)}," if isinstance(at, str) and at else ""


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict | list)


def _shown(value: Any) -> str:
    return {True: "yes", False: "no", None: "none"}[value] if isinstance(value, bool | None) else str(value)
