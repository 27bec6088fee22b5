"""The folder of backups: their names, the facts beside each, and which of them are kept.

A backup is two files: `sentinel-20261126T031700Z.dump` and the same with `.json`, which is written first. One without
the other does not count.

Owns: these files. Deliberately does not: touch any other file in the folder, or make a dump.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from hostctl.core import json_file
from hostctl.core.timestamps import whole
from hostctl.nightly.request import Keep

FOLDER_MODE = 0o700
FILE_MODE = 0o600
_NAME = re.compile(r"sentinel-(\d{8}T\d{6}Z)\.dump")
_PARTIAL = re.compile(r"\.sentinel-\d{8}T\d{6}Z\.dump\.partial")
_TIME = "%Y%m%dT%H%M%SZ"
_AHEAD_SECONDS = 300
"""A backup that is dated further ahead than this was taken while the clock was wrong."""


@dataclass(frozen=True)
class Backup:
    """One backup; `facts` are those of the file beside it: sha256, bytes, rows, newest, ms, `restores`."""

    path: str
    at: datetime
    facts: dict[str, Any]

    @property
    def name(self) -> str:
        return os.path.basename(self.path)

    @property
    def counts_as_good(self) -> bool:
        """Read back whole when it was made, and not proven bad by a restore since."""
        return self.facts.get("restores") is not False

    @property
    def is_of_the_future(self) -> bool:
        """Dated ahead of the clock: it is never the newest, and takes no other's place."""
        return self.at.timestamp() > time.time() + _AHEAD_SECONDS

    def document(self) -> dict[str, Any]:
        return {"file": self.path, "at": whole(self.at.timestamp()), **self.facts}


def name_at(moment: datetime) -> str:
    return f"sentinel-{moment.astimezone(timezone.utc).strftime(_TIME)}.dump"


def found(folder: str) -> list[Backup]:
    """Every backup of the folder, the newest first; none where there is no folder."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    backups = [at(os.path.join(folder, name)) for name in names]
    return sorted((backup for backup in backups if backup is not None), key=lambda backup: backup.at, reverse=True)


def at(path: str) -> Backup | None:
    """The backup at this path, None where it is none of ours or has no facts beside it."""
    match = _NAME.fullmatch(os.path.basename(path))
    if match is None or not os.path.isfile(path):
        return None
    facts = json_file.read(beside(path))
    moment = datetime.strptime(match[1], _TIME).replace(tzinfo=timezone.utc)
    return Backup(path, moment, facts) if facts else None


def beside(path: str) -> str:
    return f"{path}.json"


def write_facts(path: str, facts: dict[str, Any]) -> None:
    json_file.write(beside(path), facts, FILE_MODE)


def newest(folder: str) -> Backup | None:
    """The newest of those that the clock has passed."""
    return next((backup for backup in found(folder) if not backup.is_of_the_future), None)


def newest_good(folder: str) -> Backup | None:
    """The newest of them that counts as good."""
    past = (backup for backup in found(folder) if not backup.is_of_the_future)
    return next((backup for backup in past if backup.counts_as_good), None)


def kept(backups: Sequence[Backup], keep: Keep) -> set[str]:
    """The paths that stay: the newest of each of the last days, ISO weeks and months that have one, in UTC.

    One that is proven bad takes no other's place, and the newest that a restore has proven good stays in any case.
    """
    good = [backup for backup in backups if backup.counts_as_good]
    proven = [backup for backup in backups if backup.facts.get("restores") is True]
    newest_proven = sorted(proven, key=lambda backup: backup.at)[-1:]
    return _kept(backups, keep) | _kept(good, keep) | {backup.path for backup in newest_proven}


def _kept(backups: Sequence[Backup], keep: Keep) -> set[str]:
    periods: tuple[tuple[int, Callable[[datetime], tuple[int, ...]]], ...] = (
        (keep.daily, lambda moment: (moment.year, moment.month, moment.day)),
        (keep.weekly, lambda moment: tuple(moment.isocalendar()[:2])),
        (keep.monthly, lambda moment: (moment.year, moment.month)),
    )
    stay: set[str] = set()
    for count, period in periods:
        newest: dict[tuple[int, ...], str] = {}
        for backup in sorted(backups, key=lambda backup: backup.at, reverse=True):
            newest.setdefault(period(backup.at), backup.path)
        stay.update(list(newest.values())[:count])
    return stay


def rotate(folder: str, keep: Keep, new: str) -> list[str]:
    """Remove the backups that are not kept, and return their names; only call it after the good one at `new`.

    That one stays whatever the others' dates say, and so does one of the future, which takes no other's place.
    """
    backups = found(folder)
    past = [backup for backup in backups if not backup.is_of_the_future]
    stay = kept(past, keep) | {new} | {backup.path for backup in backups if backup.is_of_the_future}
    gone = [backup for backup in backups if backup.path not in stay]
    for backup in gone:
        # The dump first: what a killed removal leaves is no backup, and the next `clear` removes it.
        os.unlink(backup.path)
        os.unlink(beside(backup.path))
    return [backup.name for backup in gone]


def clear(folder: str) -> None:
    """Remove what a killed run left: half a dump, or facts without their dump."""
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        facts_of = _NAME.fullmatch(name[: -len(".json")]) if name.endswith(".json") else None
        if _PARTIAL.fullmatch(name) or (facts_of and not os.path.exists(path[: -len(".json")])):
            os.unlink(path)
