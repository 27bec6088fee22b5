"""`night install|remove|run|show`: what happens to Sentinel's data every night, one step after the other.

Owns: the steps and their order, the record of the night, and what installs the job (hostctl/night_trigger.py runs it).
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

from hostctl import atomic, backup, night_state, night_trigger, restore_test, retention, token_renewal
from hostctl.documents import Document, parsed
from hostctl.errors import Refusal
from hostctl.lock import held
from hostctl.night_state import INSTALLED

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
    Step(restore_test.STEP, restore_test.weekly, after=backup.STEP),
    Step(token_renewal.STEP, token_renewal.step),
    # Further steps stand here. Each gets the night's document, answers with {"result", "reason", …}, raises Refusal
    # when it fails, and notes what Prometheus should know by night_state.note.
)


def run(document: Document) -> dict[str, Any]:
    """Every step; raises Refusal at the end when one of them failed, and at once for a document that is none."""
    night_trigger.Trigger.of(document)
    with held(document.text("folder"), "night run"):
        began = time.monotonic()
        rows: list[dict[str, Any]] = []
        for step in STEPS:
            rows.append(_done(step, document, {row["name"] for row in rows if row["result"] != "done"}))
        failed = [row for row in rows if row["result"] == "failed"]
        facts = {"ok": not failed, "steps": rows, "ms": round((time.monotonic() - began) * 1000)}
        night_state.note(document, NIGHT, facts, {"sentinel_night_good": float(not failed)})
    if failed:
        raise Refusal("; ".join(f"{row['name']} failed: {row['reason']}" for row in failed))
    return facts


def install(document: Document) -> dict[str, Any]:
    """The job runs every night from now on, as the document says; the first installation's time is kept."""
    folder, wanted = document.text("folder"), night_trigger.Trigger.of(document)
    if document.text("block", wanted.block.text) != wanted.block.text:
        raise Refusal("the 'block' that was shown is not the one of this program and folder: run 'pulumi up' again")
    with _changing(folder, "night install"):
        before = _asked_before(wanted.asked)
        reason = night_trigger.put(wanted)
        if before is not None:
            former = night_trigger.Trigger.of(before)
            if former.place != wanted.place:
                night_trigger.take(former)
        atomic.write(wanted.asked, (json.dumps(document.values, indent=2, sort_keys=True) + "\n").encode(), 0o600)
        if not night_state.noted(document, INSTALLED):
            metrics = {"sentinel_nightly_installed_timestamp_seconds": float(round(time.time()))}
            night_state.note(document, INSTALLED, {"trigger": wanted.place}, metrics)
        if before is not None and before.values.get("prometheus") != document.values.get("prometheus"):
            night_state.withdraw(before)
        night_state.publish(document)
        night_state.point_out(document)
    return {"trigger": wanted.place, "reason": reason, "run_by": night_trigger.run_by(wanted)}


def remove(document: Document) -> dict[str, Any]:
    """The job is gone; backups and what the nights said stay. What is gone already is no error."""
    folder, wanted = document.text("folder"), night_trigger.Trigger.of(document)
    with _changing(folder, "night remove"):
        reason = night_trigger.take(wanted)
        if os.path.exists(wanted.asked):
            os.unlink(wanted.asked)
        night_state.withdraw(document)
        night_state.forget(document, INSTALLED)
    if not os.listdir(folder):
        os.rmdir(folder)
    return {"trigger": wanted.place, "reason": reason}


def show(document: Document) -> dict[str, Any]:
    """What the steps said last, by step; an empty object for one that never ran."""
    steps = [INSTALLED, *(step.name for step in STEPS), NIGHT]
    return {step: night_state.noted(document, step) for step in steps}


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
    """One change of the job at a time, apart from the night's own lock: a way back does not wait for a night."""
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
