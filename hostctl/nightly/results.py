"""The nightly job's results: one small JSON file a step in the product's folder, and the same for Prometheus.

Prometheus serves the folder of its marks itself (`--web.user-assets`) and scrapes that file from there, so nothing
more needs to run. `target` makes it do so, and exists while the nightly job is installed.

Owns: `STEP.json` with {"result", "at", "reason", …, "metrics"}, `nightly.txt` and `nightly.json` among the marks.
Deliberately does not: judge; the alert decides what is too old.
Format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from hostctl.core import atomic_file, json_file
from hostctl.core.documents import table
from hostctl.core.timestamps import now
from hostctl.nightly.request import NightlyRequest

INSTALLED, NIGHTLY = "installed", "nightly"
STEPS = (INSTALLED, "backup", "copy", "retention", "restore-drill", "rollback", "token", "claude", NIGHTLY)
"""The files' names, in the order of the metrics; a further step adds its own."""

METRICS_FILE = "nightly.txt"
TARGET_FILE = "nightly.json"
_HELP = {
    "sentinel_nightly_installed_timestamp_seconds": "When the nightly job was installed.",
    "sentinel_backup_last_good_timestamp_seconds": "When the last backup was taken that could be read back whole.",
    "sentinel_backup_last_bytes": "Size of that backup.",
    "sentinel_backup_last_try_good": "1 when the last try to take a backup made a good one.",
    "sentinel_backup_copy_last_good_timestamp_seconds": "When the backup was taken that nightly.copy_to copied last.",
    "sentinel_restore_drill_last_good_timestamp_seconds": "When a backup was last restored and found equal.",
    "sentinel_restore_drill_good": "1 when the last restore drill said good, 0 when it said bad.",
    "sentinel_audit_rows_removed": "Rows of the audit log that the last retention removed.",
    "sentinel_audit_log_bytes": "Size of the audit log with its indexes after it.",
    "sentinel_rollback_possible": "1 when the predecessor in standby passed its gates, 0 when it did not.",
    "sentinel_token_expires_timestamp_seconds": "When Claude's token expires, as the last nightly job left it.",
    "sentinel_nightly_good": "1 when every step of the last nightly job was done.",
}


def note(request: NightlyRequest, step: str, facts: Mapping[str, Any], metrics: Mapping[str, float]) -> dict[str, Any]:
    """Write a step's result with the time, and rewrite Prometheus's file; return the result. Raises OSError."""
    result = {"at": now(), **facts, "metrics": dict(metrics)}
    json_file.write(os.path.join(request.folder, f"{step}.json"), result, 0o640, 0o750)
    publish(request)
    return result


def noted(request: NightlyRequest, step: str) -> dict[str, Any]:
    """A step's last result, empty when it never ran."""
    return json_file.read(os.path.join(request.folder, f"{step}.json")) or {}


def publish(request: NightlyRequest) -> None:
    """Write Prometheus's file from the files of all steps; nothing without Prometheus."""
    marks = _marks(request)
    # A run may end after the stack was taken down.
    if os.path.isdir(marks):
        atomic_file.write(os.path.join(marks, METRICS_FILE), exposition(request).encode(), 0o444)


def point_out(request: NightlyRequest) -> None:
    """Make Prometheus scrape the file; `publish` comes first."""
    marks = _marks(request)
    if marks:
        labels = {"__metrics_path__": f"/user/{METRICS_FILE}"}
        content = json.dumps([{"targets": [request.prometheus.target], "labels": labels}])
        atomic_file.write(os.path.join(marks, TARGET_FILE), content.encode(), 0o444)


def withdraw(request: NightlyRequest) -> None:
    """Remove Prometheus's file and its target."""
    marks = _marks(request)
    for name in (TARGET_FILE, METRICS_FILE) if marks else ():
        _unlink(os.path.join(marks, name))


def exposition(request: NightlyRequest) -> str:
    """Every step's metrics in the text format."""
    folder = request.folder
    names = sorted(name[: -len(".json")] for name in os.listdir(folder) if name.endswith(".json"))
    lines: list[str] = []
    for step in sorted(names, key=lambda name: (STEPS.index(name) if name in STEPS else len(STEPS), name)):
        for name, value in table(noted(request, step).get("metrics")).items():
            lines += [f"# HELP {name} {_HELP[name]}"] if name in _HELP else []
            lines += [f"# TYPE {name} gauge", f"{name} {value:.17g}"]
    return "\n".join(lines) + "\n"


def _marks(request: NightlyRequest) -> str:
    return request.prometheus.folder


def _unlink(path: str) -> None:
    if os.path.exists(path):
        os.unlink(path)
