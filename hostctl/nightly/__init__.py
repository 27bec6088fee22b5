"""`nightly install|remove|run|show`: the nightly job on Sentinel's data, one step after the other.

Owns: the steps and their order, and the record of each run. A step that fails does not stop the others; only those that
depend on it are left out. The run then ends with exit code 1, and each step's result stays in `STEP.json` in the
product's folder and goes to Prometheus.

Deliberately does not: remove a backup or the results when the job is removed.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from hostctl.core import json_file, requests
from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.core.lock import held
from hostctl.nightly import (
    backup,
    claude_step,
    copy_away,
    restore_drill,
    results,
    retention,
    rollback_step,
    token_renewal,
)
from hostctl.nightly.request import NightlyRequest
from hostctl.nightly.results import INSTALLED, NIGHTLY
from hostctl.schedule import crontab, installer, script_runner, work_tree
from hostctl.schedule.job import Job


@dataclass(frozen=True)
class Step:
    """One step, and the step without which it makes no sense in the same run."""

    name: str
    run: Callable[[NightlyRequest], dict[str, Any]]
    after: str = ""


STEPS = (
    Step(backup.STEP, backup.step),
    Step(copy_away.STEP, copy_away.step, after=backup.STEP),
    # Never before a good backup: what it removes is in there.
    Step(retention.STEP, retention.step, after=backup.STEP),
    Step(restore_drill.STEP, restore_drill.weekly, after=backup.STEP),
    Step(rollback_step.STEP, rollback_step.step),
    Step(token_renewal.STEP, token_renewal.step),
    Step(claude_step.STEP, claude_step.step),
    # Further steps go here. Each gets the request, returns {"result", "reason", …}, raises Refusal when it fails, and
    # notes its metrics for Prometheus by results.note.
)


def run(request: NightlyRequest) -> dict[str, Any]:
    """Every step; raises Refusal at the end when one of them failed."""
    with held(request.folder, "nightly run"):
        began = time.monotonic()
        rows: list[dict[str, Any]] = []
        for step in STEPS:
            rows.append(_done(step, request, {row["name"] for row in rows if row["result"] != "done"}))
        failed = [row for row in rows if row["result"] == "failed"]
        facts = {"ok": not failed, "steps": rows, "ms": round((time.monotonic() - began) * 1000)}
        results.note(request, NIGHTLY, facts, {"sentinel_nightly_good": float(not failed)})
    if failed:
        raise Refusal("; ".join(f"{row['name']} failed: {row['reason']}" for row in failed))
    return facts


def install(request: NightlyRequest) -> dict[str, Any]:
    """Have the host run the job from now on; the time of the first installation is kept."""
    if request.block and request.block != request.expected_block:
        raise Refusal("the 'block' of the preview does not match this program and folder: run 'pulumi up' again")
    unfit = _unfit(request.script)
    if unfit:
        request = replace(request, script="", block="")
    with _changing(request.folder, "nightly install"):
        former = kept_request(request.request_file)
        installed = installer.install(request.job, None if former is None else former.job)
        json_file.write(request.request_file, requests.write(request))
        if not results.noted(request, INSTALLED):
            metrics = {"sentinel_nightly_installed_timestamp_seconds": float(round(time.time()))}
            results.note(request, INSTALLED, {"place": installed.place}, metrics)
        if former is not None and former.prometheus != request.prometheus:
            results.withdraw(former)
        results.publish(request)
        results.point_out(request)
    reason = f"{installed.reason}; {unfit}" if unfit else installed.reason
    return {"place": installed.place, "reason": reason, "run_by": _run_by(request.job)}


def remove(request: NightlyRequest) -> dict[str, Any]:
    """Take the job off the host; backups and results stay. A job that is not installed is not an error."""
    with _changing(request.folder, "nightly remove"):
        removed = installer.remove(request.job)
        results.withdraw(request)
    json_file.remove(request.folder, os.path.basename(request.request_file), f"{INSTALLED}.json")
    return {"place": request.job.place, "reason": "removed" if removed else "it was not installed"}


def show(request: NightlyRequest) -> dict[str, Any]:
    """The last result of each step; an empty object for one that never ran."""
    steps = [INSTALLED, *(step.name for step in STEPS), NIGHTLY]
    return {step: results.noted(request, step) for step in steps}


def kept_request(path: str) -> NightlyRequest | None:
    """The request that the job was installed with, None where none is kept; raises Refusal for a broken one."""
    values = json_file.read(path)
    return requests.read(NightlyRequest, Document(values, path)) if values else None


def _run_by(job: Job) -> str:
    """The table of the host that runs it: for a script the one that names it, "" where none is found."""
    return script_runner.table_naming(job.place) if job.kind == "script" else job.place


def _unfit(script: str) -> str:
    """The reason why the host's scheduler runs the job and the script does not, empty where the script can."""
    if not script or not os.path.exists(script):
        return ""
    tree, runner, own = work_tree.tracking(script), script_runner.of(script), crontab.owner()
    if tree:
        return f"git tracks {script} in {tree}, so it gets no block"
    if runner is not None and runner.user != own:
        return f"{script} is run by {runner.user}, who may not read what the job of {own} reads, so it gets no block"
    if not os.access(script, os.W_OK):
        return f"{own} may not write {script}, so it gets no block"
    return ""


def _done(step: Step, request: NightlyRequest, undone: set[str]) -> dict[str, Any]:
    began = time.monotonic()
    row: dict[str, Any] = {"name": step.name, "result": "done", "reason": ""}
    if step.after in undone:
        return {**row, "result": "skipped", "reason": f"{step.after} was not done", "ms": 0}
    try:
        result = step.run(request)
        if result.get("result") == "skipped":
            row.update(result="skipped", reason=result["reason"])
    except Refusal as refusal:
        row.update(result="failed", reason=str(refusal))
    except OSError as error:
        row.update(result="failed", reason=f"{error.strerror or error} at {error.filename or 'an unknown place'}")
    return {**row, "ms": round((time.monotonic() - began) * 1000)}


@contextmanager
def _changing(folder: str, reason: str) -> Generator[None]:
    """One change of the job at a time, apart from the run's own lock: a rollback does not wait for a run."""
    beside = os.path.join(folder, "job")
    with held(beside, reason):
        yield
    shutil.rmtree(beside, ignore_errors=True)
