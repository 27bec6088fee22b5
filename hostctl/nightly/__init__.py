"""`night install|remove|run|show`: what happens to Sentinel's data every night, one step after the other.

Owns: the steps and their order, the record of the night, and what installs the job (hostctl/nightly/trigger.py runs it).
A step that fails does not stop the others; only those that stand on it are left out. The night then ends with exit
code 1, and what each step says stays in `STEP.json` in the product's folder and goes to Prometheus.

Deliberately does not: remove a backup or what the nights said, when the job is removed.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hostctl.core import atomic_file
from hostctl.core.documents import Document, parsed
from hostctl.core.errors import Refusal
from hostctl.core.lock import held
from hostctl.nightly import backup, restore_drill, results, retention, token_renewal, trigger
from hostctl.nightly.results import INSTALLED

NIGHT = "night"


@dataclass(frozen=True)
class Step:
    """One step: what it does with the night's document, and the step without which it makes no sense this night."""

    name: str
    run: Callable[[Document], dict[str, Any]]
    after: str = ""


STEPS = (
    Step(backup.STEP, backup.step),
    # Never before a good backup: what it removes is in there.
    Step(retention.STEP, retention.step, after=backup.STEP),
    Step(restore_drill.STEP, restore_drill.weekly, after=backup.STEP),
    Step(token_renewal.STEP, token_renewal.step),
    # Further steps stand here. Each gets the night's document, answers with {"result", "reason", …}, raises Refusal
    # when it fails, and notes what Prometheus should know by night_state.note.
)


def run(document: Document) -> dict[str, Any]:
    """Every step; raises Refusal at the end when one of them failed, and at once for a document that is none."""
    trigger.Trigger.of(document)
    with held(document.text("folder"), "nightly run"):
        began = time.monotonic()
        rows: list[dict[str, Any]] = []
        for step in STEPS:
            rows.append(_done(step, document, {row["name"] for row in rows if row["result"] != "done"}))
        failed = [row for row in rows if row["result"] == "failed"]
        facts = {"ok": not failed, "steps": rows, "ms": round((time.monotonic() - began) * 1000)}
        results.note(document, NIGHT, facts, {"sentinel_night_good": float(not failed)})
    if failed:
        raise Refusal("; ".join(f"{row['name']} failed: {row['reason']}" for row in failed))
    return facts


def install(document: Document) -> dict[str, Any]:
    """The job runs every night from now on, as the document says; the first installation's time is kept."""
    folder, wanted = document.text("folder"), trigger.Trigger.of(document)
    if document.text("block", wanted.block.text) != wanted.block.text:
        raise Refusal("the 'block' that was shown is not the one of this program and folder: run 'pulumi up' again")
    with _changing(folder, "nightly install"):
        before = _asked_before(wanted.asked)
        reason = trigger.put(wanted)
        if before is not None:
            former = trigger.Trigger.of(before)
            if former.place != wanted.place:
                trigger.take(former)
        atomic_file.write(wanted.asked, (json.dumps(document.values, indent=2, sort_keys=True) + "\n").encode(), 0o600)
        if not results.noted(document, INSTALLED):
            metrics = {"sentinel_nightly_installed_timestamp_seconds": float(round(time.time()))}
            results.note(document, INSTALLED, {"trigger": wanted.place}, metrics)
        if before is not None and before.values.get("prometheus") != document.values.get("prometheus"):
            results.withdraw(before)
        results.publish(document)
        results.point_out(document)
    return {"trigger": wanted.place, "reason": reason, "run_by": trigger.run_by(wanted)}


def remove(document: Document) -> dict[str, Any]:
    """The job is gone; backups and what the nights said stay. What is gone already is no error."""
    folder, wanted = document.text("folder"), trigger.Trigger.of(document)
    with _changing(folder, "nightly remove"):
        reason = trigger.take(wanted)
        if os.path.exists(wanted.asked):
            os.unlink(wanted.asked)
        results.withdraw(document)
        results.forget(document, INSTALLED)
    if not os.listdir(folder):
        os.rmdir(folder)
    return {"trigger": wanted.place, "reason": reason}


def show(document: Document) -> dict[str, Any]:
    """What the steps said last, by step; an empty object for one that never ran."""
    steps = [INSTALLED, *(step.name for step in STEPS), NIGHT]
    return {step: results.noted(document, step) for step in steps}


def _done(step: Step, document: Document, undone: set[str]) -> dict[str, Any]:
    began = time.monotonic()
    row: dict[str, Any] = {"name": step.name, "result": "done", "reason": ""}
    if step.after in undone:
        return {**row, "result": "skipped", "reason": f"{step.after} was not done", "ms": 0}
    try:
        said = step.run(document)
        if said.get("result") == "skipped":
            row.update(result="skipped", reason=said["reason"])
    except Refusal as refusal:
        row.update(result="failed", reason=str(refusal))
    except OSError as error:
        row.update(result="failed", reason=f"{error.strerror or error} at {error.filename or 'an unknown place'}")
    return {**row, "ms": round((time.monotonic() - began) * 1000)}


@contextmanager
def _changing(folder: str, reason: str) -> Generator[None]:
    """One change of the job at a time, apart from the night's own lock: a rollback does not wait for a night."""
    beside = os.path.join(folder, "job")
    with held(beside, reason):
        yield
    shutil.rmtree(beside, ignore_errors=True)


def _asked_before(path: str) -> Document | None:
    try:
        with open(path, "rb") as file:
            found = parsed(file.read())
    except FileNotFoundError:
        return None
    return None if found is None else Document(found, path)
