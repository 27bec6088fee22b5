"""What runs one verb of `hostctl` after each boot: a unit where systemd runs, else a line of cron's (`@reboot`).

Owns: the unit's or cron's file, switching the unit on and off, and the look whether it stands.
Deliberately does not: know what the verb does, or touch another unit or another of cron's files.
Formats: systemd.exec(5) (`StandardInput=file:`), systemd.service(5), crontab(5) (a `%` ends the command).
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import Literal

from hostctl.core import atomic_file
from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.schedule import systemd

NAME = "sentinel-cutover-reboot-check"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_INSTEAD = "set reboot.trigger to cron"


@dataclass(frozen=True)
class BootEntry:
    """One file of the host that its init or its cron reads at a boot."""

    kind: Literal["systemd", "cron"]
    path: str
    text: str

    @property
    def folder(self) -> str:
        return os.path.dirname(self.path)


def of(document: Document, words: list[str], stdin: str) -> BootEntry:
    """The entry that runs `words` with the file `stdin` at its standard input, as "trigger" says or the host has it."""
    trigger = document.text("trigger", "auto")
    if trigger not in ("auto", "systemd", "cron"):
        raise Refusal("'trigger' in the document on stdin must be auto, systemd or cron")
    if trigger == "systemd" or (trigger == "auto" and systemd.runs()):
        path = os.path.join(document.text("unit_folder"), f"{NAME}.service")
        return BootEntry("systemd", path, _unit(words, stdin))
    return BootEntry("cron", os.path.join(document.text("cron_folder"), NAME), _line(words, stdin))


def put(entry: BootEntry) -> str:
    """Make the entry stand; says what was done. Raises Refusal where the host reads no such file."""
    if not os.path.isdir(entry.folder):
        raise Refusal(
            f"this host has no folder {entry.folder}, so nothing could run after a boot: install cron, correct "
            "reboot.trigger, or set reboot.enabled to false"
        )
    if not problem(entry):
        return "as asked already"
    try:
        atomic_file.write(entry.path, entry.text.encode(), 0o644)
    except OSError as error:
        raise Refusal(
            f"{entry.path} cannot be written ({error.strerror}): the check after a boot needs root; set reboot.enabled "
            "to false to do without it"
        ) from None
    if entry.kind == "systemd":
        systemd.control("daemon-reload", instead=_INSTEAD)
        systemd.control("enable", os.path.basename(entry.path), instead=_INSTEAD)
    return "written"


def take(entry: BootEntry) -> bool:
    """Remove the entry; whether there was one."""
    if not os.path.lexists(entry.path):
        return False
    if entry.kind == "systemd":
        systemd.control("disable", os.path.basename(entry.path), instead=_INSTEAD)
    os.unlink(entry.path)
    if entry.kind == "systemd":
        systemd.control("daemon-reload", instead=_INSTEAD)
    return True


def problem(entry: BootEntry) -> str:
    """Why the next boot would not run it, in a few words; empty when it would."""
    try:
        with open(entry.path, encoding="utf-8") as file:
            found = file.read()
    except OSError as error:
        return f"{entry.path} cannot be read ({error.strerror})"
    if found != entry.text:
        return f"{entry.path} was changed"
    if entry.kind == "systemd" and not systemd.is_enabled(os.path.basename(entry.path), instead=_INSTEAD):
        return f"{os.path.basename(entry.path)} is not enabled"
    return ""


def _unit(words: list[str], stdin: str) -> str:
    command = " ".join(shlex.quote(word) for word in words).replace("%", "%%")
    # Not `oneshot`: the host's boot waits for nothing of ours.
    return f"""# Written by sentinel-cutover; a change is lost with the next `pulumi up`.
[Unit]
Description=Sentinel Cutover: whether everything came back after the boot
Wants=network-online.target
After=network-online.target docker.service

[Service]
Type=simple
StandardInput=file:{stdin.replace("%", "%%")}
StandardOutput=null
ExecStart=/usr/bin/env {command}

[Install]
WantedBy=multi-user.target
"""


def _line(words: list[str], stdin: str) -> str:
    command = " ".join(shlex.quote(word) for word in words)
    line = f"@reboot root {command} < {shlex.quote(stdin)} > /dev/null".replace("%", r"\%")
    return f"""# Written by sentinel-cutover; a change is lost with the next `pulumi up`.
PATH={_PATH}
{line}
"""
