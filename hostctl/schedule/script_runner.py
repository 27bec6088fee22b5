"""The host's own tables, crontabs, cron's folders and units: the one that runs a script of the operator's, and prunes.

Formats: crontab(5), systemd.unit(5). Deliberately does not: run a table, or find one that this user may not read.
"""

from __future__ import annotations

import glob
import os
import pwd
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hostctl.core.errors import Refusal
from hostctl.schedule import crontab

CRON_FOLDER = "/etc/cron.d"
_WITH_USER = "/etc/crontab"
_SPOOL = "/var/spool/cron/crontabs"
_AS_ROOT = ("/etc/rc.local", "/etc/network", "/etc/networkd-dispatcher")
_UNITS = "/etc/systemd/system"
_OWN_UNITS = ".config/systemd/user"
_ROOT = "root"
_PERIODIC = tuple(f"/etc/cron.{period}" for period in ("hourly", "daily", "weekly", "monthly"))
_DOCKER, _PRUNE = "docker", "prune"


@dataclass(frozen=True)
class Runner:
    """The table's path, or a crontab by its user's name, and the user who then runs the script."""

    table: str
    user: str

    @property
    def is_root(self) -> bool:
        return self.user == _ROOT


def of(script: str, cron_folder: str = CRON_FOLDER) -> Runner | None:
    """The first table that names the script, None where none that this user may read does."""
    name = os.path.basename(script)
    return next(_runners(name, cron_folder), None)


def prunes(cron_folder: str = CRON_FOLDER) -> Iterator[tuple[str, str]]:
    """Each table, and each script of cron's own folders, with its line that runs one of Docker's prunes."""
    scripts = [script for folder in _PERIODIC for script in _files(folder)]
    for table in (*_tables_with_user(cron_folder), *_spooled(), *_files(_UNITS), *scripts):
        yield from ((table, line.strip()) for line in _lines(table, _PRUNE) if _DOCKER in line)
    if os.geteuid():
        own = _naming(_own_crontab().splitlines(), _PRUNE)
        yield from ((crontab.name(), line.strip()) for line in own if _DOCKER in line)


def table_naming(script: str, cron_folder: str = CRON_FOLDER) -> str:
    """That table alone, empty where there is none."""
    runner = of(script, cron_folder)
    return runner.table if runner else ""


def _runners(name: str, cron_folder: str) -> Iterator[Runner]:
    for table in _tables_with_user(cron_folder):
        for line in _lines(table, name):
            yield Runner(table, _user_of(line))
    for table in _spooled():
        if any(True for _ in _lines(table, name)):
            yield Runner(table, os.path.basename(table))
    if os.geteuid() and _naming(_own_crontab().splitlines(), name):
        yield Runner(crontab.name(), crontab.owner())
    for top in _AS_ROOT:
        for table in _files(top) or [top]:
            if any(True for _ in _lines(table, name)):
                yield Runner(table, _ROOT)
    for table in _files(_UNITS):
        if any(True for _ in _lines(table, name)):
            yield Runner(table, next((line.partition("=")[2].strip() for line in _lines(table, "User=")), _ROOT))
    for home in _homes():
        for table in _files(os.path.join(home, _OWN_UNITS)):
            if any(True for _ in _lines(table, name)):
                yield Runner(table, _owner(table))


def _tables_with_user(cron_folder: str) -> list[str]:
    """Cron's tables whose lines name the user."""
    return [_WITH_USER, *_files(CRON_FOLDER), *(_files(cron_folder) if cron_folder != CRON_FOLDER else ())]


def _spooled() -> list[str]:
    """The users' crontabs, named after them."""
    return [*_files(_SPOOL), *_files(os.path.dirname(_SPOOL))]


def _user_of(line: str) -> str:
    """The sixth field of a line of cron's own tables, or the second one behind a word such as @reboot."""
    words = line.split()
    at = 1 if words[0].startswith("@") else 5
    return words[at] if len(words) > at else _ROOT


def _own_crontab() -> str:
    try:
        return crontab.read()
    except Refusal:
        return ""


def _owner(table: str) -> str:
    uid = os.stat(table).st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _homes() -> list[str]:
    """The homes whose units this user may read: all of them for root."""
    return [os.path.expanduser("~"), *(glob.glob("/home/*") if os.geteuid() == 0 else [])]


def _files(top: str) -> list[str]:
    if not os.path.isdir(top) or not os.access(top, os.R_OK | os.X_OK):
        return []
    return [os.path.join(top, entry) for entry in sorted(os.listdir(top))]


def _lines(table: str, name: str) -> Iterator[str]:
    """The same of a file; a pipe, which would be waited for, has none."""
    if not os.path.isfile(table):
        return
    try:
        with open(table, encoding="utf-8", errors="replace") as file:
            yield from _naming(file, name)
    except OSError:
        return


def _naming(lines: Iterable[str], name: str) -> list[str]:
    """The lines that hold the name and are no comment."""
    return [line for line in lines if name in line and not line.lstrip().startswith("#")]
