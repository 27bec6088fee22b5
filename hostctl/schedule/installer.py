"""Installing a job: in the operator's script, as files of systemd or cron, or in the crontab of a user who may write
neither; never in two places.

Deliberately does not: touch another unit, another of cron's files, or another line of a crontab.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from hostctl.core import atomic_file
from hostctl.core.errors import Refusal
from hostctl.schedule import crontab, script_block, systemd
from hostctl.schedule.job import InScript, Job

_MODE = 0o644
_INSTEAD = "set host.scheduler to cron"


@dataclass(frozen=True)
class Installed:
    """The place of a job: script, systemd, cron or crontab, the file, and what was done to it."""

    kind: str
    place: str
    changed: bool
    reason: str


def install(job: Job, former: Job | None = None) -> Installed:
    """Make the host run the job as described, and in no other way; `former` is the job as it was installed before.

    Raises Refusal, and then leaves what runs as it is.
    """
    written = _put_block(job, job.when) if isinstance(job.when, InScript) else _put_files(job)
    removed = _remove(job, former, keep={*job.contents(), job.place})
    return Installed(job.kind, job.place, written.changed or bool(removed), written.reason)


def remove(job: Job) -> list[str]:
    """Take the job off the host, whatever runs it; return the files that were removed or restored."""
    return _remove(job, None, keep=set())


def problem(job: Job) -> str:
    """The reason why the host would not run the job, empty when it would. Raises Refusal."""
    if isinstance(job.when, InScript):
        text = script_block.read(job.when.script)
        held = text is not None and script_block.held(text, job.block(job.when), job.when.script)
        return "" if held else f"{job.when.script} has lost its block"
    if job.kind == "crontab":
        held = crontab.has(job.crontab_block, job.crontab_command)
        return "" if held else f"{job.place} has lost the line of {job.name}"
    for path in job.contents():
        try:
            # cron's file of a daily job has the host's time of the day on which it was written.
            expected = job.contents(os.path.getmtime(path))[path]
            with open(path, "rb") as file:
                if file.read() != expected.encode():
                    return f"{path} was changed"
        except FileNotFoundError:
            return f"{path} is gone"
        except OSError as error:
            return f"{path} cannot be read ({error.strerror})"
    if job.kind == "systemd" and not systemd.is_enabled(job.unit, instead=_INSTEAD):
        return f"{job.unit} is not enabled"
    if job.kind == "systemd" and job.unit.endswith(".timer") and not systemd.is_active(job.unit, instead=_INSTEAD):
        return f"{job.unit} is stopped"
    return ""


def _put_block(job: Job, when: InScript) -> Installed:
    if script_block.read(when.script) is None:
        raise Refusal(
            f"{when.script} is not on this host, so nothing would run the job: set {when.setting} to the script that "
            f"your cron runs, or remove {when.setting} and the host's scheduler runs it"
        )
    done = script_block.put(when.script, job.block(when), when.copy)
    return Installed("script", when.script, done.changed, done.reason)


def _put_files(job: Job) -> Installed:
    if job.kind == "crontab":
        changed = crontab.put(job.crontab_block)
        return Installed(job.kind, job.place, changed, "written" if changed else "installed already")
    if job.kind == "systemd" and not systemd.runs():
        raise Refusal(f"systemd does not run on this host: {_INSTEAD}")
    folder = os.path.dirname(job.place)
    if not os.path.isdir(folder):
        raise Refusal(
            f"this host has no folder {folder}, so nothing would run {job.name}: install cron, or set host.scheduler "
            "to what the host has"
        )
    if not problem(job):
        return Installed(job.kind, job.place, False, "installed already")
    changed = [_written(path, text) for path, text in job.contents().items()]
    if job.kind == "systemd":
        if any(changed):
            systemd.control("daemon-reload", instead=_INSTEAD)
        now = ["--now"] if job.unit.endswith(".timer") else []
        systemd.control("enable", *now, job.unit, instead=_INSTEAD)
    return Installed(job.kind, job.place, True, "written")


def _written(path: str, text: str) -> bool:
    try:
        if os.path.exists(path):
            with open(path, "rb") as file:
                if file.read() == text.encode():
                    return False
        atomic_file.write(path, text.encode(), _MODE)
    except OSError as error:
        raise Refusal(f"{path} cannot be written ({error.strerror}): run as root") from None
    return True


def _remove(job: Job, former: Job | None, keep: set[str]) -> list[str]:
    """Every place of the job but `keep`; a block is found only by a job that names its script."""
    removed: list[str] = []
    for known in [job] if former is None else [job, former]:
        when = known.when
        if isinstance(when, InScript) and when.script not in keep:
            taken = script_block.take(when.script, known.block(when), when.copy)
            removed += [when.script] if taken.changed else []
        removed += _remove_units(known, keep)
        removed += _unlinked([known.cron_file], keep)
        if os.geteuid() and crontab.name() not in keep and crontab.exists() and crontab.take(known.crontab_block):
            removed.append(crontab.name())
    return removed


def _remove_units(job: Job, keep: set[str]) -> list[str]:
    present = [path for path in job.unit_files if path not in keep and os.path.lexists(path)]
    if present and systemd.runs():
        now = ["--now"] if job.unit.endswith(".timer") else []
        systemd.control("disable", *now, job.unit, instead=_INSTEAD)
    removed = _unlinked(present, keep)
    if removed and systemd.runs():
        systemd.control("daemon-reload", instead=_INSTEAD)
    return removed


def _unlinked(paths: Iterable[str], keep: set[str]) -> list[str]:
    present = [path for path in paths if path not in keep and os.path.lexists(path)]
    for path in present:
        try:
            os.unlink(path)
        except OSError as error:
            raise Refusal(f"{path} cannot be removed ({error.strerror}): run as root, or remove it by hand") from None
    return present
