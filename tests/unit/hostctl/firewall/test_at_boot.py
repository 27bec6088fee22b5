"""The way in which the rules come back at a boot, by what the host has: a block, an entry, or both."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hostctl.firewall import at_boot
from hostctl.firewall.at_boot import Way
from hostctl.firewall.request import FirewallRequest
from hostctl.schedule import script_runner
from hostctl.schedule.script_runner import Runner
from tests.unit.hostctl.schedule_host import Host, host

__all__ = ["host"]

SCRIPT = "#!/bin/sh\nset -eu\ntrue\n"
ROOT, OPERATOR = Runner("/etc/crontab", "root"), Runner("the crontab of operator", "operator")


@pytest.fixture
def request_(tmp_path: Path, host: Host) -> FirewallRequest:
    script = tmp_path / "code" / "fix-iptables.sh"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    (tmp_path / "firewall").mkdir()
    return FirewallRequest(
        folder=str(tmp_path / "firewall"), interfaces=("eth0",), ports=(9200,), script=str(script),
        program="/opt/hostctl.pyz", scheduler=host.scheduler("cron"),
    )  # fmt: skip


def run_by(runner: Runner | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(*_: Any) -> Runner | None:
        return runner

    monkeypatch.setattr(script_runner, "of", found)


def tracked(request: FirewallRequest) -> None:
    top = str(Path(request.script).parent)
    subprocess.run(["git", "init", "-q", top], check=True)
    subprocess.run(["git", "-C", top, "add", "."], check=True)


@pytest.mark.parametrize(
    ("runner", "escalation", "block", "entry"),
    [
        (ROOT, "root", True, False),
        (ROOT, "container", True, False),
        (OPERATOR, "root", False, True),
        (OPERATOR, "container", False, True),
        (None, "root", True, True),
        (None, "container", False, True),
    ],
)
def test_the_block_alone_is_enough_exactly_where_root_runs_the_script(
    request_: FirewallRequest,
    monkeypatch: pytest.MonkeyPatch,
    runner: Runner | None,
    escalation: str,
    block: bool,
    entry: bool,
) -> None:
    run_by(runner, monkeypatch)
    way = at_boot.way(replace(request_, escalation=escalation))
    assert (way.block, way.entry, bool(way.reason)) == (block, entry, entry)


def test_a_script_that_this_user_may_not_write_is_left_alone(
    request_: FirewallRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_by(ROOT, monkeypatch)
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # type: ignore[reportUnknownLambdaType]
    way = at_boot.way(replace(request_, escalation="sudo"))
    assert (way.block, way.entry) == (False, True) and "may not write" in way.reason


def test_a_script_that_git_tracks_or_that_is_not_there_is_left_alone(
    request_: FirewallRequest, monkeypatch: pytest.MonkeyPatch, host: Host
) -> None:
    run_by(ROOT, monkeypatch)
    tracked(request_)
    for expected in ("git tracks", "is not on this host"):
        way = at_boot.way(request_)
        assert (way.block, way.entry) == (False, True) and expected in way.reason
        at_boot.write(request_, way)
        assert host.files() == [at_boot.NAME] and at_boot.problem(request_, at_boot.way(request_)) == ""
        assert expected in at_boot.write(request_, way).reason
        Path(request_.script).unlink(missing_ok=True)
    assert not Path(request_.script).exists()


def test_a_change_of_the_way_leaves_nothing_of_the_other_one(
    request_: FirewallRequest, monkeypatch: pytest.MonkeyPatch, host: Host
) -> None:
    script = Path(request_.script)
    for runner in (ROOT, OPERATOR, ROOT):
        run_by(runner, monkeypatch)
        at_boot.write(request_, at_boot.way(request_))
        assert ("sentinel-cutover" in script.read_text(), bool(host.files())) == (runner.is_root, not runner.is_root)
        assert at_boot.problem(request_, at_boot.way(request_)) == ""
    at_boot.write(request_, Way(block=False, entry=False))
    assert script.read_text() == SCRIPT and host.files() == []


def test_what_would_not_bring_them_back_is_a_problem(
    request_: FirewallRequest, monkeypatch: pytest.MonkeyPatch, host: Host
) -> None:
    run_by(None, monkeypatch)
    at_boot.write(request_, at_boot.way(request_))
    assert at_boot.problem(request_, at_boot.way(request_)) == ""
    Path(request_.script).write_text(SCRIPT)
    (host.cron / at_boot.NAME).unlink()
    problem = at_boot.problem(request_, at_boot.way(request_))
    assert "has lost its block" in problem and problem.endswith("is gone")


def test_without_a_program_the_script_alone_has_them(request_: FirewallRequest) -> None:
    assert at_boot.way(replace(request_, program="")) == Way(block=True, entry=False)
