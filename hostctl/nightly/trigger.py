"""What runs the night: a block in the operator's nightly script, a systemd timer, or a cron entry.

Owns: the block, the two units, the entry, and finding out who runs the operator's script.
Deliberately does not: know what the night does, or change a crontab that is the operator's.

Times are in UTC. cron knows the host's time only, so its entry has what that is on the day it is installed: where
clocks are put forward, the night is an hour off for half of the year.
"""

from __future__ import annotations

import os
import pwd
import shlex
import time
from dataclasses import dataclass

from hostctl import firewall
from hostctl.core import atomic_file
from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.schedule import script_block, systemd
from hostctl.schedule.script_block import Block

NAME = "sentinel-cutover-nightly"
COPY = "script-before"
_MODE = 0o644
_INSTEAD = "set nightly.trigger to cron or script"
_LIMIT = "3h"


@dataclass(frozen=True)
class Trigger:
    """What is wanted. `folder` is the night's own; `asked` its document, which `nightly run` is given."""

    kind: str
    script: str
    at: str
    folder: str
    program: str
    units: str
    entries: str

    @classmethod
    def of(cls, document: Document) -> Trigger:
        asked = document.object("trigger")
        found = cls(
            asked.text("kind"),
            asked.text("script"),
            asked.text("at"),
            document.text("folder"),
            document.text("program"),
            asked.text("units", "/etc/systemd/system"),
            asked.text("entries", "/etc/cron.d"),
        )
        if found.kind not in ("script", "systemd", "cron"):
            raise Refusal("'kind' in 'trigger' must be script, systemd or cron")
        hour, _, minute = found.at.partition(":")
        if not (hour.isdecimal() and minute.isdecimal() and int(hour) < 24 and int(minute) < 60):
            raise Refusal("'at' in 'trigger' must be a time of day in UTC such as 03:17")
        paths = (found.script, found.folder, found.program, found.units, found.entries)
        if not all(os.path.isabs(path) and path.isprintable() and '"' not in path for path in paths):
            raise Refusal("the paths in the document on stdin must be absolute, and hold no quotation mark")
        return found

    @property
    def asked(self) -> str:
        return os.path.join(self.folder, "asked.json")

    @property
    def place(self) -> str:
        """The file that makes it run."""
        return {
            "script": self.script,
            "systemd": os.path.join(self.units, f"{NAME}.timer"),
            "cron": os.path.join(self.entries, NAME),
        }[self.kind]

    @property
    def line(self) -> str:
        """The shell's line that runs the night; what it answers stands in the folder anyway."""
        program, asked = shlex.quote(self.program), shlex.quote(self.asked)
        return f"python3 -I -S {program} nightly run < {asked} > /dev/null"

    @property
    def block(self) -> Block:
        body = f"""\
# Sentinel's database: backup, retention, restore drill. A failure is told here and to Prometheus, and stops nothing.
{self.line} || echo {shlex.quote(f"sentinel-cutover: the night was not whole: see {self.folder}/night.json")} >&2
"""
        # At the start: a script may end anywhere, and what stands at its end may never run.
        return Block("nightly", body, at_start=True)

    @property
    def copy(self) -> str:
        return os.path.join(self.folder, COPY)


def put(trigger: Trigger) -> str:
    """Make it run every night; the reason in words. Raises Refusal, and leaves what runs as it is."""
    if trigger.kind == "script":
        if script_block.read(trigger.script) is None:
            raise Refusal(
                f"{trigger.script} is not on this host, so nothing would run the night: set nightly.script to the "
                "script that your cron runs, or nightly.trigger to systemd or cron"
            )
        return script_block.put(trigger.script, trigger.block, trigger.copy).reason
    if trigger.kind == "systemd":
        return _put_units(trigger)
    if not os.path.isdir(trigger.entries):
        raise Refusal(f"this host has no {trigger.entries}, so no cron that reads it: set nightly.trigger to systemd")
    return "written" if _written(trigger.place, entry(trigger, time.time())) else "as asked already"


def take(trigger: Trigger) -> str:
    """It runs no more; what is gone already is no error."""
    if trigger.kind == "script":
        return script_block.take(trigger.script, trigger.block, trigger.copy).reason
    if trigger.kind == "systemd" and os.path.exists(trigger.place):
        systemd.control("disable", "--now", f"{NAME}.timer", instead=_INSTEAD)
    gone = [path for path in _files(trigger) if os.path.exists(path)]
    for path in gone:
        os.unlink(path)
    if trigger.kind == "systemd" and gone:
        systemd.control("daemon-reload", instead=_INSTEAD)
    return "removed" if gone else "it was gone"


def run_by(trigger: Trigger) -> str:
    """Who runs it: a table of the host that names the operator's script, "" where none is found."""
    return firewall.named_at_boot(trigger.script) if trigger.kind == "script" else trigger.place


def units(trigger: Trigger) -> dict[str, str]:
    """The service's and the timer's text, by file name (systemd.service(5), systemd.timer(5))."""
    program, asked = (path.replace("%", "%%") for path in (trigger.program, trigger.asked))
    service = f"""\
[Unit]
Description=Backup and retention of Sentinel's database
Wants=docker.service
After=docker.service

[Service]
Type=oneshot
ExecStart=/usr/bin/env python3 -I -S "{program}" nightly run
StandardInput=file:{asked}
StandardOutput=null
UMask=0077
Nice=10
IOSchedulingClass=idle
TimeoutStartSec={_LIMIT}
"""
    timer = f"""\
[Unit]
Description=Every night: {NAME}.service

[Timer]
OnCalendar=*-*-* {trigger.at}:00 UTC
Persistent=true

[Install]
WantedBy=timers.target
"""
    return {f"{NAME}.service": service, f"{NAME}.timer": timer}


def entry(trigger: Trigger, now: float) -> str:
    """The entry of cron.d, run by this user; a percent sign ends a command there (crontab(5))."""
    hour, _, minute = trigger.at.partition(":")
    midnight = now - now % 86400
    local = time.localtime(midnight + int(hour) * 3600 + int(minute) * 60)
    user = pwd.getpwuid(os.geteuid()).pw_name
    line = trigger.line.replace("%", r"\%")
    return (
        f"# Sentinel's database, every night at {trigger.at} UTC; written by sentinel-cutover.\n"
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
        f"{local.tm_min} {local.tm_hour} * * * {user} {line}\n"
    )


def _put_units(trigger: Trigger) -> str:
    if not systemd.runs():
        raise Refusal(f"systemd does not run this host: {_INSTEAD}")
    changed = [_written(os.path.join(trigger.units, name), text) for name, text in units(trigger).items()]
    if any(changed):
        systemd.control("daemon-reload", instead=_INSTEAD)
    systemd.control("enable", "--now", f"{NAME}.timer", instead=_INSTEAD)
    return "written" if any(changed) else "as asked already"


def _written(path: str, text: str) -> bool:
    try:
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return False
    except FileNotFoundError:
        pass
    try:
        atomic_file.write(path, text.encode(), _MODE)
    except OSError as error:
        raise Refusal(
            f"{path} cannot be written ({error.strerror}): run as root, or set nightly.trigger to script"
        ) from None
    return True


def _files(trigger: Trigger) -> list[str]:
    if trigger.kind == "systemd":
        return [os.path.join(trigger.units, name) for name in units(trigger)]
    return [trigger.place]
