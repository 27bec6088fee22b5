"""`make restore FROM=…`: a backup in the live database's place; the former database is kept beside it."""

from __future__ import annotations

from console.errors import UserError
from console.progress import Progress
from console.question import require_yes
from console.result import Result
from ops.engine import backups, sandbox


def restore(stack: str, progress: Progress, *, from_: str, yes: bool) -> Result:
    """Restore the backup `from_`, a file's name or its path on the host. Raises UserError."""
    if not from_:
        raise UserError("FROM= names no backup: give the file's name in nightly.folder, or its path on the host.")
    settings = backups.deployed_settings(stack, progress)
    if not (yes or sandbox.of_stack(stack)):
        require_yes(
            f"Replace the database of stack {stack} by {from_}? What is live now is kept beside it under another "
            "name; rows that came after the backup are only there."
        )
    progress.line(f"Restore: {from_} beside the live database, then in its place …")
    answer = backups.run(stack, settings, "restore", file=from_)
    compared = (
        "as many as were backed up" if answer["compared"] else "not compared: there is no .json beside the backup"
    )
    before, after = backups.rows(answer["before"]["rows"]), backups.rows(answer["after"]["rows"])
    text = (
        f"restored   {answer['file']}, taken {answer['taken']}: {after} rows, {compared}\n"
        f"closed     {answer['closed_ms']} ms, in which the rows of calls that ended are lost\n"
        f"kept       the former {before} rows as database {answer['kept']}\n"
        f"next       make verify"
    )
    return Result({"ok": True, **answer}, text)
