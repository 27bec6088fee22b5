"""`make backup`: a backup of Sentinel's database now, read back whole, and rotation of the older ones."""

from __future__ import annotations

from console.progress import Progress
from console.result import Result
from ops.engine import backups


def backup(stack: str, progress: Progress) -> Result:
    """Exit status 0 only when the backup was read back whole."""
    progress.line("Backup: dumping and reading back …")
    taken = backups.run(stack, backups.deployed_settings(stack, progress), "take")
    text = (
        f"backup     {taken['file']}: {taken['bytes']} bytes, {backups.rows(taken['rows'])} rows, "
        f"read back whole in {backups.seconds(taken['ms'])}\n"
        f"kept       {taken['kept']}, {len(taken['removed'])} older removed"
    )
    return Result({"ok": True, **taken}, text)
