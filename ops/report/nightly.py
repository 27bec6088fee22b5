"""The nightly job's own records, as the host keeps them; a file's silence is no success."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ops.report import tables

Finding = tuple[Literal["proven", "disproved", "not checked"], str, tuple[tuple[str, str], ...]]


def finding(facts: Mapping[str, Any], key: str, name: str) -> Finding:
    """Verdict, sentence and every plain fact of the record."""
    record: Mapping[str, Any] | None = facts["seen"].get(key)
    if record is None:
        why = "the nightly job has not kept one yet" if facts["nightly"] else "nightly.enabled is false"
        return "not checked", f"The host keeps no {name}: {why}.", ()
    plain = {member: value for member, value in record.items() if not isinstance(value, dict | list)}
    rows = tuple((member.replace("_", " "), _shown(value)) for member, value in plain.items())
    result = record.get("result")
    if result == "good":
        return "proven", f"The host's own record of its last {name}{_when(record)} says so.", rows
    if result in (None, "could-not-check"):
        return "not checked", f"The host's record of its last {name}{_when(record)} gives no result.", rows
    return "disproved", f"The host's record of its last {name}{_when(record)} says that it failed.", rows


def _when(record: Mapping[str, Any]) -> str:
    at = record.get("at")
    return f", {tables.moment(at)}," if isinstance(at, str) and at else ""


def _shown(value: Any) -> str:
    return {True: "yes", False: "no", None: "none"}[value] if isinstance(value, bool | None) else str(value)
