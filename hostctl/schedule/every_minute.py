"""What runs one look once a minute: a systemd timer or a line of cron, and nothing where somebody else runs it.

Owns: its two unit files, or its one file in cron's folder. Deliberately does not: pass data but by stdin, or touch a
file that is not its own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from hostctl.core import atomic_file
from hostctl.core.errors import Refusal
from hostctl.schedule import systemd

TRIGGERS = ("systemd", "cron", "none")
UNITS, CRON = "/etc/systemd/system", "/etc/cron.d"
_INSTEAD = "set the trigger to cron, or to none and run it yourself"

_SERVICE = """# Made by sentinel-cutover; taken away with its stack.
[Unit]
Description=sentinel-cutover: {what}

[Service]
Type=oneshot
StandardInput=file:{document}
ExecStart=/usr/bin/env python3 -I -S -c "{line}" "{program}"
StandardOutput=null
Nice=10
TimeoutStartSec=50
"""
_TIMER = """# Made by sentinel-cutover; taken away with its stack.
[Unit]
Description=sentinel-cutover: {what}, every minute

[Timer]
OnCalendar=*-*-* *:*:00
AccuracySec=5s

[Install]
WantedBy=timers.target
"""
_LINE = """# Made by sentinel-cutover; taken away with its stack: {what}
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
* * * * * root python3 -I -S -c "{line}" "{program}" < "{document}" > /dev/null
"""


_ALONE = "import sys; sys.path.insert(0, sys.argv[1]); from hostctl import {module}; {module}.alone()"


@dataclass(frozen=True)
class Timer:
    """A module of hostctl with its document's file; `program` is hostctl's own on the host.

    Its function `alone` is run without the other verbs: to read all of them costs more than most do.
    """

    name: str
    what: str
    program: str
    module: str
    document: str

    def _filled(self, text: str) -> bytes:
        line = _ALONE.format(module=self.module)
        return text.format(what=self.what, program=self.program, line=line, document=self.document).encode()

    def files(self, trigger: str) -> dict[str, bytes]:
        """Contents by path."""
        if trigger == "systemd":
            return {
                f"{UNITS}/{self.name}.service": self._filled(_SERVICE),
                f"{UNITS}/{self.name}.timer": self._filled(_TIMER),
            }
        return {f"{CRON}/{self.name}": self._filled(_LINE)} if trigger == "cron" else {}


def keep(timer: Timer, trigger: str) -> bool:
    """Make the trigger be the asked one, and no other; whether anything changed. Raises Refusal."""
    if trigger not in TRIGGERS:
        raise Refusal(f"'trigger' must be one of {', '.join(TRIGGERS)}")
    if trigger == "systemd" and not systemd.runs():
        raise Refusal(f"systemd does not run on this host: {_INSTEAD}")
    if trigger == "cron" and not os.path.isdir(CRON):
        raise Refusal(f"there is no {CRON} on this host: install cron, or set the trigger to systemd or none")
    wanted = timer.files(trigger)
    others = [path for other in TRIGGERS if other != trigger for path in timer.files(other)]
    changed = bool(_removed(timer, others))
    for path, content in wanted.items():
        changed = _written(path, content) or changed
    if trigger == "systemd":
        systemd.control("daemon-reload", instead=_INSTEAD)
        systemd.control("enable", "--now", f"{timer.name}.timer", instead=_INSTEAD)
    return changed


def forget(timer: Timer) -> list[str]:
    """The trigger's files are gone, whichever it was; their paths."""
    return _removed(timer, [path for trigger in TRIGGERS for path in timer.files(trigger)])


def _removed(timer: Timer, paths: list[str]) -> list[str]:
    there = [path for path in paths if os.path.exists(path)]
    units = any(path.startswith(UNITS) for path in there)
    if units and systemd.runs():
        systemd.control("disable", "--now", f"{timer.name}.timer", instead=_INSTEAD)
    for path in there:
        try:
            os.unlink(path)
        except OSError as error:
            raise Refusal(f"{path} cannot be removed ({error.strerror}): run as root, or remove it by hand") from None
    if units and systemd.runs():
        systemd.control("daemon-reload", instead=_INSTEAD)
    return there


def _written(path: str, content: bytes) -> bool:
    try:
        if os.path.exists(path):
            with open(path, "rb") as file:
                if file.read() == content:
                    return False
        atomic_file.write(path, content, 0o644)
    except OSError as error:
        raise Refusal(f"{path} cannot be written ({error.strerror}): run as root, or set the trigger to none") from None
    return True
