"""`sentinel start` and `sentinel stop` on a real Docker engine: a repeated run changes nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from hostctl.sentinel import PROCESSES
from tests.docker.handover_host import Host

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120, func_only=True)]


def start(host: Host, name: str, **values: Any) -> Any:
    return host.call("sentinel", "start", {"container": host.ids[name], "limit_seconds": 5, **values})


def test_a_stopped_container_is_started_and_a_running_one_left_alone(host: Host) -> None:
    host.ok("sentinel", "stop", container=host.ids["sentinel"], limit_seconds=2)
    assert not host.inspect("sentinel")["State"]["Running"]
    assert host.ok("sentinel", "start", container=host.ids["sentinel"], limit_seconds=5)["state"] == "standby"
    started = host.inspect("sentinel")["State"]["StartedAt"]
    host.ok("sentinel", "start", container=host.ids["sentinel"], limit_seconds=5)
    assert host.inspect("sentinel")["State"]["StartedAt"] == started


def test_the_container_can_start_only_so_many_processes(host: Host) -> None:
    host.ok("sentinel", "start", container=host.ids["sentinel"], limit_seconds=5)
    assert host.inspect("sentinel")["HostConfig"]["PidsLimit"] == PROCESSES
    group = Path(f"/proc/{host.inspect('sentinel')['State']['Pid']}/cgroup").read_text()
    limits = [Path(f"/sys/fs/cgroup/{kind}{path}/pids.max") for kind, path in pids_groups(group)]
    assert [file.read_text().strip() for file in limits if file.exists()] == [str(PROCESSES)]


def pids_groups(group: str) -> list[tuple[str, str]]:
    """The folder and the path of the control group that counts processes; of either version."""
    rows = [line.split(":", 2) for line in group.splitlines()]
    first = [("pids", path) for _, kinds, path in rows if "pids" in kinds.split(",")]
    return first or [("", path) for number, _, path in rows if number == "0"]


def test_the_wait_is_for_the_health_check(host: Host) -> None:
    host.create_sentinel("healthy", health=["CMD-SHELL", "false"])
    done = start(host, "healthy", limit_seconds=30)
    assert done.returncode == 1 and f"{host.mark}-healthy is unhealthy" in done.stderr
    host.remove_container("healthy")


def test_a_container_that_ends_is_reported_with_its_exit_code_and_its_logs_last_lines(host: Host) -> None:
    # Without a health check it would be standby as soon as it runs, which it does for a moment.
    undecided = ["CMD", os.path.realpath(sys.executable), "-S", "-c", "import time; time.sleep(60)"]
    host.create_sentinel("bad", command="no-port", restart="no", health=undecided, start=False)
    done = start(host, "bad")
    assert done.returncode == 1
    assert f"{host.mark}-bad ended with exit code 1: read its log's last lines below" in done.stderr
    assert "ValueError: invalid literal for int()" in done.stderr
    host.remove_container("bad")


def test_stopping_a_container_that_is_gone_is_no_error(host: Host) -> None:
    assert host.ok("sentinel", "stop", container="gone", limit_seconds=1)["state"] == "absent"
