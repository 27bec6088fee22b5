"""What the nightly job's own files say: `backup.json` and `restore-drill.json`, as the host keeps them.

Owns: reading their result, whatever else they hold. Deliberately does not: take a file's silence for a success.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ops.report import tables

Told = tuple[Literal["proven", "disproved", "not checked"], str, tuple[tuple[str, str], ...]]
GOOD = {"good", "ok", "done", "proven", "verified"}
UNKNOWN = {"could not check", "could-not-check", "unknown", "not checked", "skipped"}


def told(facts: Mapping[str, Any], key: str, what: str) -> Told:
    """Verdict, words and every plain fact of the file."""
    found: Mapping[str, Any] | None = facts["seen"].get(key)
    if found is None:
        why = "the nightly job has not kept one yet" if facts["nightly"] else "nightly.enabled is false"
        return "not checked", f"The host keeps no {what}: {why}.", ()
    rows = tuple((name.replace("_", " "), _shown(value)) for name, value in found.items() if not _is_nested(value))
    result = found.get("result", found.get("ok", found.get("good")))
    if result is True or result in GOOD:
        return "proven", f"The host's own record of its last {what}{_when(found)} says so.", rows
    if result is None or result in UNKNOWN:
        return "not checked", f"The host's record of its last {what}{_when(found)} gives no result.", rows
    return "disproved", f"The host's record of its last {what}{_when(found)} says that it failed.", rows


def _when(found: Mapping[str, Any]) -> str:
    at = found.get("at")
    return f", {tables.moment(at)}," if isinstance(at, str) and at else ""


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict | list)


def _shown(value: Any) -> str:
    return {True: "yes", False: "no", None: "none"}[value] if isinstance(value, bool | None) else str(value)
