"""`make restore-drill`: the newest backup in a one-shot Postgres."""

from __future__ import annotations

from console.progress import Progress
from console.result import Result
from ops.engine import backups


def restore_drill(stack: str, progress: Progress) -> Result:
    """Exit status 0 only when the backup is good; `could-not-check` is not good."""
    progress.line("Restore drill: the newest backup into a one-shot Postgres …")
    drill = backups.run(stack, backups.deployed_settings(stack, progress), "drill")
    good = drill["result"] == "good"
    summary = f"{backups.rows(drill['rows'])} rows, newest {drill['newest'] or 'none'}, as backed up" if good else ""
    file = drill["file"] or "no backup"
    text = f"{drill['result']:<10} {file} in {backups.seconds(drill['ms'])}: {summary or drill['reason']}"
    return Result({"ok": good, **drill}, text, ok=good)
