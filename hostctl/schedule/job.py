"""A job of the host: its command, its request on stdin, and when it runs.

Formats: systemd.exec(5), systemd.timer(5), crontab(5). Times are in UTC. cron knows only the host's local time, so its
file has the local time of the day on which it was written: where clocks change, a daily job is an hour off for half of
the year.
"""

from __future__ import annotations

import os
import re
import shlex
import time
from dataclasses import dataclass
from typing import Union

from hostctl.core.errors import Refusal
from hostctl.schedule import crontab, systemd
from hostctl.schedule.script_block import Block

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HEADER = "# Written by sentinel-cutover; a change is lost with the next `pulumi up`.\n"
_TIME = re.compile(r"(?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d)")


def require_plain_path(path: str) -> None:
    """Refuse a path that no file of a scheduler could hold."""
    if not os.path.isabs(path) or not path.isprintable() or '"' in path:
        raise Refusal("the paths in the document on stdin must be absolute and without a quotation mark")


@dataclass(frozen=True)
class Scheduler:
    """The host's scheduler: systemd, cron, or (`auto`) systemd where it runs and cron elsewhere."""

    kind: str = "auto"
    unit_folder: str = "/etc/systemd/system"
    cron_folder: str = "/etc/cron.d"

    def __post_init__(self) -> None:
        if self.kind not in ("auto", "systemd", "cron"):
            raise Refusal(f"host.scheduler is '{self.kind}': set it to auto, systemd or cron")
        for folder in (self.unit_folder, self.cron_folder):
            require_plain_path(folder)

    @property
    def chosen(self) -> str:
        """systemd, cron, or `crontab`: the user's own, where a user who is not root may not write cron's folder."""
        kind = self.kind
        if kind == "auto":
            kind = "systemd" if systemd.runs() and _may_write(self.unit_folder) else "cron"
        return "crontab" if kind == "cron" and not _may_write(self.cron_folder) else kind


def _may_write(folder: str) -> bool:
    return os.geteuid() == 0 or os.access(folder, os.W_OK)


AUTO = Scheduler()


@dataclass(frozen=True)
class AtBoot:
    """After each boot, which does not wait for the job."""


@dataclass(frozen=True)
class EveryMinute:
    """Once a minute."""


@dataclass(frozen=True)
class Daily:
    """Once a day, at a time in UTC such as 03:17; a run that a stopped host missed is made up for by systemd."""

    at: str

    def __post_init__(self) -> None:
        if not _TIME.fullmatch(self.at):
            raise Refusal(f"'{self.at}' is not a time of day: give one in UTC such as 03:17")


@dataclass(frozen=True)
class InScript:
    """Whenever the operator's own script runs: a managed block at its start, named after what the job does.

    `setting` is the key that names the script, `copy` keeps the script as it was. When the job fails, the block prints
    `failure` and the script goes on.
    """

    script: str
    block: str
    setting: str
    copy: str
    failure: str

    def __post_init__(self) -> None:
        require_plain_path(self.script)


When = Union[AtBoot, EveryMinute, Daily, InScript]


@dataclass(frozen=True)
class Job:
    """One job; `name` is that of its files. `limit_seconds` ends a run under systemd."""

    name: str
    description: str
    argv: tuple[str, ...]
    request_file: str
    when: When
    scheduler: Scheduler
    limit_seconds: int = 3600

    def __post_init__(self) -> None:
        require_plain_path(self.request_file)
        if not all(word.isprintable() for word in self.argv):
            raise Refusal("the paths in the document on stdin must be absolute and without a quotation mark")

    @property
    def kind(self) -> str:
        """The scheduler that runs it: script, systemd, cron, or crontab."""
        return "script" if isinstance(self.when, InScript) else self.scheduler.chosen

    @property
    def place(self) -> str:
        """The file that makes it run, or the user's crontab."""
        if isinstance(self.when, InScript):
            return self.when.script
        if self.kind == "crontab":
            return crontab.name()
        return os.path.join(self.scheduler.unit_folder, self.unit) if self.kind == "systemd" else self.cron_file

    @property
    def unit(self) -> str:
        """The unit that is switched on."""
        return f"{self.name}.{'service' if isinstance(self.when, AtBoot) else 'timer'}"

    @property
    def unit_files(self) -> list[str]:
        """The paths of systemd's files."""
        suffixes = ("service",) if isinstance(self.when, AtBoot) else ("service", "timer")
        return [os.path.join(self.scheduler.unit_folder, f"{self.name}.{suffix}") for suffix in suffixes]

    @property
    def cron_file(self) -> str:
        return os.path.join(self.scheduler.cron_folder, self.name)

    @property
    def line(self) -> str:
        """The shell's line; the job itself keeps its result."""
        return f"{shlex.join(self.argv)} < {shlex.quote(self.request_file)} > /dev/null"

    def block(self, when: InScript) -> Block:
        """The managed block of that script; at its start, since a script may end anywhere.

        A script that runs itself again, as below flock, passes its start twice; its second process has the variable.
        """
        failure = shlex.quote(f"sentinel-cutover: {when.failure}")
        begun = f"SENTINEL_CUTOVER_{when.block.upper()}"
        body = f"""\
# {self.description}
if [ -z "${{{begun}-}}" ]; then
    export {begun}=1
    {self.line} || echo {failure} >&2
fi
"""
        return Block(when.block, body, at_start=True)

    def contents(self, now: float | None = None) -> dict[str, str]:
        """The text of the scheduler's files by path; none where a script or the user's crontab runs the job."""
        if self.kind == "systemd":
            return dict(zip(self.unit_files, [self._service(), self._timer()]))
        return {self.cron_file: self._cron(time.time() if now is None else now)} if self.kind == "cron" else {}

    @property
    def crontab_block(self) -> Block:
        """The job's lines in the user's crontab."""
        return Block(self.name, f"# {self.description}\n{self._times(time.time())} {self.crontab_command}\n")

    @property
    def crontab_command(self) -> str:
        """Its command there, with a PATH of its own, since the crontab's variables are the user's."""
        return f"PATH={PATH} {self._cron_line}"

    def _service(self) -> str:
        command = shlex.join(self.argv).replace("%", "%%").replace("$", "$$")
        service = f"""\
StandardInput=file:{self.request_file.replace("%", "%%")}
StandardOutput=null
ExecStart=/usr/bin/env {command}
"""
        unit = f"{_HEADER}[Unit]\nDescription=sentinel-cutover: {self.description}\n"
        if isinstance(self.when, AtBoot):
            # Not `oneshot`: the host's boot waits for nothing of ours.
            return f"""{unit}Wants=network-online.target
After=network-online.target docker.service

[Service]
Type=simple
{service}
[Install]
WantedBy=multi-user.target
"""
        return f"""{unit}Wants=docker.service
After=docker.service

[Service]
Type=oneshot
{service}UMask=0077
Nice=10
IOSchedulingClass=idle
TimeoutStartSec={self.limit_seconds}
"""

    def _timer(self) -> str:
        times = f"*-*-* {self.when.at}:00 UTC" if isinstance(self.when, Daily) else "*-*-* *:*:00"
        precision = "Persistent=true" if isinstance(self.when, Daily) else "AccuracySec=5s"
        return f"""{_HEADER}[Unit]
Description=sentinel-cutover: {self.description}

[Timer]
OnCalendar={times}
{precision}

[Install]
WantedBy=timers.target
"""

    def _cron(self, now: float) -> str:
        times, line = self._times(now), self._cron_line
        return f"{_HEADER}# {self.description}\nPATH={PATH}\n{times} {crontab.owner()} {line}\n"

    def _times(self, now: float) -> str:
        if isinstance(self.when, Daily):
            hour, minute = map(int, self.when.at.split(":"))
            local = time.localtime(now - now % 86400 + hour * 3600 + minute * 60)
            return f"{local.tm_min} {local.tm_hour} * * *"
        return "@reboot" if isinstance(self.when, AtBoot) else "* * * * *"

    @property
    def _cron_line(self) -> str:
        # A percent sign ends a command there.
        return self.line.replace("%", r"\%")
