"""The user on the host, and the steps that need more rights than this user has."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
from collections.abc import Iterator

from hostctl.core.errors import Refusal
from hostctl.inspection.finding import Finding
from hostctl.inspection.request import InspectRequest
from hostctl.schedule import crontab, systemd
from hostctl.schedule.job import Scheduler

SUDO_SECONDS = 10.0


def user() -> Iterator[Finding]:
    """Name, groups, and whether it is root."""
    uid = os.geteuid()
    rights = "root" if uid == 0 else "an ordinary user"
    groups = sorted({_group(number) for number in os.getgroups()} & {"docker", "sudo", "wheel", "adm"})
    member = f", in the group{'s' * (len(groups) > 1)} {' and '.join(groups)}" if groups and uid else ""
    yield Finding("user", "ok", f"{_name(uid)}, {rights}{member}")


def jobs(request: InspectRequest) -> Iterator[Finding]:
    """The host's jobs and the firewall's rules: as root, by sudo, or in a one-shot container."""
    if request.escalation:
        yield _escalation(request.escalation)
    if os.geteuid():
        yield Finding(
            "handover",
            "note",
            "without root new connections are refused, and not held back, for the fraction of a second in which the "
            "port changes hands",
        )
    if request.scheduler:
        yield _scheduler(Scheduler(request.scheduler, cron_folder=request.cron_folder))


def _scheduler(scheduler: Scheduler) -> Finding:
    chosen = scheduler.chosen
    if chosen == "crontab":
        try:
            crontab.read()
        except Refusal as refusal:
            return Finding("scheduler", "problem", f"no way to run the nightly job and the checks: {refusal}")
        return Finding("scheduler", "ok", f"cron, in {crontab.name()}")
    if chosen == "systemd" and not systemd.runs():
        return Finding("scheduler", "problem", "systemd does not run on this host", "set host.scheduler to cron")
    folder = scheduler.unit_folder if chosen == "systemd" else scheduler.cron_folder
    if not os.path.isdir(folder):
        return Finding(
            "scheduler", "problem", f"this host has no folder {folder}", "install cron, or set host.scheduler"
        )
    if not os.access(folder, os.W_OK):
        return Finding(
            "scheduler",
            "problem",
            f"{_name(os.geteuid())} may not write {folder}, which the nightly job, the check after a boot and the "
            "resource statistics need",
            "set host.scheduler to cron, which then is the user's own crontab, or run as root",
        )
    return Finding("scheduler", "ok", f"{chosen}, in {folder}")


def _escalation(escalation: str) -> Finding:
    if escalation == "root" and os.geteuid():
        return Finding(
            "firewall",
            "problem",
            "firewall.escalation is root and this user is not",
            "set firewall.escalation to container, or to sudo where sudo needs no password",
        )
    if escalation == "sudo" and not _has_sudo():
        return Finding(
            "firewall",
            "problem",
            "firewall.escalation is sudo, and sudo is missing here or needs a password",
            "set firewall.escalation to container",
        )
    return Finding("firewall", "ok", f"rules are applied by {escalation}")


def _has_sudo() -> bool:
    try:
        done = subprocess.run(
            ["sudo", "-n", "true"], capture_output=True, timeout=SUDO_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
