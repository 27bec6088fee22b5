"""The nightly job's step that hands the new backup to the operator's own command, such as `rclone` or `rsync`.

    nightly.copy_to: rclone copy "$1" remote:sentinel

Owns: one run of the command for the dump and one for the facts beside it, each within a limit; the time of the last
copy that succeeded, which the alert on backups reads as well.
Deliberately does not: know the place, its credentials, or what is kept there.
"""

from __future__ import annotations

import subprocess
from typing import Any

from hostctl.core.errors import Refusal
from hostctl.nightly import backup_catalog
from hostctl.nightly.request import NightlyRequest
from hostctl.nightly.results import note, noted

STEP = "copy"
METRIC = "sentinel_backup_copy_last_good_timestamp_seconds"
LIMIT_SECONDS = 3600.0
_SHOWN = 300
"""Characters of the command's own complaint."""


def step(request: NightlyRequest) -> dict[str, Any]:
    """Copy the newest good backup; raises Refusal with the command's last line where it fails."""
    if not request.copy_to:
        return {"result": "skipped", "reason": "nightly.copy_to is not set"}
    newest = backup_catalog.newest_good(request.backups)
    if newest is None:
        raise Refusal(f"there is no backup in {request.backups} to be copied")
    before = noted(request, STEP).get("last_good")
    try:
        for path in (newest.path, backup_catalog.beside(newest.path)):
            _run(request.copy_to, path)
    except Refusal as failure:
        _note(request, {"result": "failed", "reason": str(failure), "file": newest.path}, before)
        raise
    _note(request, {"result": "done", "reason": "", "file": newest.path}, newest.at.timestamp())
    return {"result": "done", "file": newest.path}


def _run(command: str, path: str) -> None:
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", command, "copy_to", path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Refusal(f"nightly.copy_to has not ended after {LIMIT_SECONDS:g} s with {path}") from None
    if done.returncode:
        lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
        reason = lines[-1][:_SHOWN] if lines else f"exit code {done.returncode}"
        raise Refusal(f"nightly.copy_to failed with {path} ({reason}): run it by hand with that file")


def _note(request: NightlyRequest, facts: dict[str, Any], last_good: float | None) -> None:
    # Without any copy yet it is the beginning of time, so that the alert sees a command that never succeeded.
    note(request, STEP, {**facts, "last_good": last_good}, {METRIC: float(last_good or 0)})
