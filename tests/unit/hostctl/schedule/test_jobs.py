"""One job in each scheduler: installed once, changes found and repaired, and never in two places."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from hostctl.core.errors import Refusal
from hostctl.schedule import installer
from hostctl.schedule.job import AtBoot, Daily, EveryMinute, InScript, Job, When
from tests.unit.hostctl.schedule_host import Host, host

__all__ = ["host"]

ARGV = ("python3", "-I", "-S", "/opt/100% ours/hostctl.pyz", "reboot-check", "check")
NAME = "sentinel-cutover-example"
WHENS = pytest.mark.parametrize("when", [AtBoot(), EveryMinute(), Daily("03:17")], ids=["boot", "minute", "daily"])
KINDS = pytest.mark.parametrize("kind", ["systemd", "cron"])


def job(host: Host, when: When, kind: str = "auto", request_file: str = "/opt/request.json") -> Job:
    return Job(NAME, "an example", ARGV, request_file, when, host.scheduler(kind))


def in_script(host: Host, script: Path) -> Job:
    when = InScript(str(script), "nightly", "nightly.script", str(host.folder / "copy"), "the job failed")
    return job(host, when)


def cron_line(host: Host) -> str:
    return (host.cron / NAME).read_text().splitlines()[-1]


@WHENS
@KINDS
def test_it_is_written_once_and_removed_without_a_trace(host: Host, when: When, kind: str) -> None:
    found = job(host, when, kind)
    assert installer.problem(found).endswith("is gone")
    first, second = installer.install(found), installer.install(found)
    assert (first.kind, first.changed, second.changed, second.reason) == (kind, True, False, "installed already")
    assert installer.problem(found) == ""
    assert installer.remove(found) != []
    assert (installer.remove(found), host.files()) == ([], [])


@WHENS
@KINDS
def test_a_change_by_somebody_else_is_found_and_repaired(host: Host, when: When, kind: str) -> None:
    found = job(host, when, kind)
    installer.install(found)
    Path(found.place).write_text("# not any more\n")
    assert installer.problem(found) == f"{found.place} was changed"
    assert installer.install(found).reason == "written"
    assert installer.problem(found) == ""


@WHENS
def test_another_scheduler_removes_the_former_ones_files_and_nothing_else(host: Host, when: When) -> None:
    (host.cron / "theirs").write_text("theirs")
    installer.install(job(host, when, "systemd"))
    installer.install(job(host, when, "cron"))
    assert host.files() == [NAME, "theirs"]
    installer.install(job(host, when, "systemd"))
    assert NAME not in host.files() and "theirs" in host.files()
    assert installer.remove(job(host, when, "cron")) != []
    assert host.files() == ["theirs"]


def test_a_job_in_a_script_takes_the_place_of_files_and_the_other_way_round(host: Host, tmp_path: Path) -> None:
    script = tmp_path / "nightly.sh"
    script.write_text("#!/bin/sh\necho theirs\n")
    installer.install(job(host, Daily("03:17"), "cron"))
    installer.install(in_script(host, script))
    assert host.files() == [] and "sentinel-cutover" in script.read_text()
    installer.install(job(host, Daily("03:17"), "cron"), former=in_script(host, script))
    assert host.files() == [NAME] and script.read_text() == "#!/bin/sh\necho theirs\n"


def test_a_script_that_lost_its_block_is_found(host: Host, tmp_path: Path) -> None:
    script = tmp_path / "nightly.sh"
    script.write_text("#!/bin/sh\necho theirs\n")
    installer.install(in_script(host, script))
    assert installer.problem(in_script(host, script)) == ""
    script.write_text("#!/bin/sh\necho theirs\n")
    assert installer.problem(in_script(host, script)) == f"{script} has lost its block"


def test_auto_is_systemd_exactly_where_it_runs(host: Host) -> None:
    assert job(host, AtBoot()).kind == "systemd"
    host.running.rmdir()
    assert job(host, AtBoot()).kind == "cron"
    with pytest.raises(Refusal, match=r"host.scheduler is 'upstart': set it to auto, systemd or cron"):
        host.scheduler("upstart")


def test_a_host_without_the_scheduler_is_refused_with_the_setting(host: Host) -> None:
    host.running.rmdir()
    with pytest.raises(Refusal, match=r"systemd does not run on this host: set host.scheduler to cron"):
        installer.install(job(host, EveryMinute(), "systemd"))
    host.cron.rmdir()
    with pytest.raises(Refusal, match=r"has no folder .*cron.d, so nothing would run .*install cron, or set host"):
        installer.install(job(host, EveryMinute(), "cron"))


def test_crons_line_runs_the_job_and_a_percent_sign_does_not_end_it(host: Host) -> None:
    installer.install(job(host, AtBoot(), "cron"))
    text = (host.cron / NAME).read_text()
    assert any(line.startswith("PATH=") and "/usr/sbin" in line for line in text.splitlines())
    assert cron_line(host) == (
        rf"@reboot {getpass.getuser()} python3 -I -S '/opt/100\% ours/hostctl.pyz' reboot-check check "
        "< /opt/request.json > /dev/null"
    )
    installer.install(job(host, EveryMinute(), "cron"))
    assert cron_line(host).startswith("* * * * * ")


def test_crons_daily_time_is_the_hosts_own(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    found = job(host, Daily("03:17"), "cron", "/var/100%/request.json")
    monkeypatch.setenv("TZ", "EST5")
    time.tzset()
    try:
        *_, line = found.contents(1_800_000_000)[found.cron_file].splitlines()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert line.startswith("17 22 * * * ") and r"/var/100\%/request.json" in line


def test_crons_daily_job_is_not_changed_by_a_clock_that_is_put_forward(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = job(host, Daily("03:17"), "cron")
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    try:
        installer.install(found)
        january, july = (found.contents(moment)[found.cron_file] for moment in (1_800_000_000, 1_815_000_000))
        assert january != july
        for text in (january, july):
            moment = 1_800_000_000 if text == january else 1_815_000_000
            Path(found.cron_file).write_text(text)
            os.utime(found.cron_file, (moment, moment))
            assert installer.problem(found) == ""
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not in PATH")
@WHENS
def test_systemd_finds_nothing_wrong_with_the_units(host: Host, when: When) -> None:
    found = job(host, when, "systemd")
    installer.install(found)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", found.place], capture_output=True, text=True)
    assert [line for line in done.stderr.splitlines() if NAME in line] == []


def test_the_units_say_when_and_with_which_request(host: Host) -> None:
    installer.install(job(host, AtBoot(), "systemd"))
    service = (host.units / f"{NAME}.service").read_text()
    assert "Type=simple\nStandardInput=file:/opt/request.json\n" in service
    assert "ExecStart=/usr/bin/env python3 -I -S '/opt/100%% ours/hostctl.pyz' reboot-check check\n" in service
    installer.install(job(host, Daily("03:17"), "systemd"))
    timer = (host.units / f"{NAME}.timer").read_text()
    assert timer.count("OnCalendar=*-*-* 03:17:00 UTC\nPersistent=true") == 1
    assert "Type=oneshot" in (host.units / f"{NAME}.service").read_text()
    installer.install(job(host, EveryMinute(), "systemd"))
    assert "OnCalendar=*-*-* *:*:00\n" in (host.units / f"{NAME}.timer").read_text()


@pytest.mark.parametrize(
    ("when", "unit", "now"),
    [(AtBoot(), f"{NAME}.service", ""), (EveryMinute(), f"{NAME}.timer", "--now ")],
    ids=["boot", "minute"],
)
def test_the_unit_is_switched_on_and_off(host: Host, when: When, unit: str, now: str) -> None:
    found = job(host, when, "systemd")
    installer.install(found)
    installer.remove(found)
    assert host.calls() == ["daemon-reload", f"enable {now}{unit}", f"disable {now}{unit}", "daemon-reload"]


@pytest.mark.parametrize(
    ("answer", "problem"), [("is-enabled", "is not enabled"), ("is-active", "is stopped")], ids=["off", "stopped"]
)
def test_a_timer_that_somebody_switched_off_or_stopped_is_found(host: Host, answer: str, problem: str) -> None:
    found = job(host, EveryMinute(), "systemd")
    installer.install(found)
    (host.folder / "bin" / "systemctl").write_text(f'#!/bin/sh\n[ "$1" != {answer} ]\n')
    assert installer.problem(found) == f"{NAME}.timer {problem}"


def test_a_systemctl_that_fails_is_reported(host: Host) -> None:
    (host.folder / "bin" / "systemctl").write_text("#!/bin/sh\necho 'Access denied' >&2; exit 4\n")
    with pytest.raises(Refusal, match=r"systemctl daemon-reload failed \(Access denied\)"):
        installer.install(job(host, AtBoot(), "systemd"))
