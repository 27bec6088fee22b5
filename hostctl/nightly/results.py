"""What the nights said: one small JSON file a step in the product's folder, and the same for Prometheus.

Prometheus serves the folder of its marks itself (`--web.user-assets`) and scrapes that file from there, so nothing
more needs to run. `target` makes it do so, and is there while the nightly job is.

Owns: `STEP.json` with {"result", "at", "reason", …, "metrics"}, `nightly.txt` and `nightly.json` among the marks.
Deliberately does not: judge; what is too old is the alert's business.
Format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from hostctl.core import atomic_file
from hostctl.core.documents import Document, parsed, table
from hostctl.core.timestamps import now

STEPS = ("installed", "backup", "retention", "restore-drill", "token", "night")
"""The files' names, in the order of the metrics; a further step of the night adds its own."""

INSTALLED = "installed"
METRICS_FILE = "nightly.txt"
TARGET_FILE = "nightly.json"
_HELP = {
    "sentinel_nightly_installed_timestamp_seconds": "When the nightly job was installed.",
    "sentinel_backup_last_good_timestamp_seconds": "When the last backup was taken that could be read back whole.",
    "sentinel_backup_last_bytes": "Size of that backup.",
    "sentinel_backup_last_try_good": "1 when the last try to take a backup made a good one.",
    "sentinel_restore_test_last_good_timestamp_seconds": "When a backup was last restored and found equal.",
    "sentinel_restore_test_good": "1 when the last restore drill said good, 0 when it said bad.",
    "sentinel_audit_rows_removed": "Rows of the audit log that the last retention removed.",
    "sentinel_audit_log_bytes": "Size of the audit log with its indexes after it.",
    "sentinel_token_expires_timestamp_seconds": "When Claude's token ends, as the last night left it.",
    "sentinel_night_good": "1 when every step of the last night was done.",
}


def note(document: Document, step: str, facts: Mapping[str, Any], metrics: Mapping[str, float]) -> dict[str, Any]:
    """Write what a step has to say, with the time, and Prometheus's file anew. Raises OSError."""
    said = {"at": now(), **facts, "metrics": dict(metrics)}
    path = os.path.join(document.text("folder"), f"{step}.json")
    os.makedirs(os.path.dirname(path), mode=0o750, exist_ok=True)
    atomic_file.write(path, (json.dumps(said, indent=2, sort_keys=True) + "\n").encode(), 0o640)
    publish(document)
    return said


def noted(document: Document, step: str) -> dict[str, Any]:
    """What a step said last, empty when it never did."""
    try:
        with open(os.path.join(document.text("folder"), f"{step}.json"), "rb") as file:
            return parsed(file.read()) or {}
    except FileNotFoundError:
        return {}


def forget(document: Document, step: str) -> None:
    _unlink(os.path.join(document.text("folder"), f"{step}.json"))


def publish(document: Document) -> None:
    """Write Prometheus's file out of all steps' files; does nothing where there is no Prometheus."""
    marks = _marks(document)
    # A night may end after the stack was taken down.
    if os.path.isdir(marks):
        atomic_file.write(os.path.join(marks, METRICS_FILE), exposition(document).encode(), 0o444)


def point_out(document: Document) -> None:
    """Make Prometheus scrape the file; `publish` comes first."""
    marks = _marks(document)
    if marks:
        labels = {"__metrics_path__": f"/user/{METRICS_FILE}"}
        content = json.dumps([{"targets": [document.object("prometheus").text("target")], "labels": labels}])
        atomic_file.write(os.path.join(marks, TARGET_FILE), content.encode(), 0o444)


def withdraw(document: Document) -> None:
    """Nothing of it is for Prometheus any more."""
    marks = _marks(document)
    for name in (TARGET_FILE, METRICS_FILE) if marks else ():
        _unlink(os.path.join(marks, name))


def exposition(document: Document) -> str:
    """Every step's metrics in the text format."""
    folder = document.text("folder")
    names = sorted(name[: -len(".json")] for name in os.listdir(folder) if name.endswith(".json"))
    lines: list[str] = []
    for step in sorted(names, key=lambda name: (STEPS.index(name) if name in STEPS else len(STEPS), name)):
        for name, value in table(noted(document, step).get("metrics")).items():
            lines += [f"# HELP {name} {_HELP[name]}"] if name in _HELP else []
            lines += [f"# TYPE {name} gauge", f"{name} {value:.17g}"]
    return "\n".join(lines) + "\n"


def _marks(document: Document) -> str:
    return document.object("prometheus", {}).text("folder", "")


def _unlink(path: str) -> None:
    if os.path.exists(path):
        os.unlink(path)
