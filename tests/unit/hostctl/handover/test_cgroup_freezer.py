"""The kernel's freezer by which a caught command continues, in each version of control groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from hostctl.handover import cgroup_freezer


@pytest.mark.parametrize(
    ("groups", "unified", "file", "paused"),
    [
        ("0::/system.slice/docker-1.scope", False, "system.slice/docker-1.scope/cgroup.freeze", "1"),
        ("4:memory:/docker/1\n0::/docker/1", True, "unified/docker/1/cgroup.freeze", "1"),
        ("7:freezer:/docker/1\n4:cpu,cpuacct:/docker/1\n0::/", True, "freezer/docker/1/freezer.state", "FROZEN"),
        ("7:freezer:/\n4:memory:/\n0::/docker/1", True, "unified/docker/1/cgroup.freeze", "1"),
    ],
)
def test_the_kernels_freezer_is_found_in_each_version_of_control_groups(
    groups: str, unified: bool, file: str, paused: str, tmp_path: Path
) -> None:
    mount = tmp_path / "cgroup"
    (mount / "unified" if unified else mount).mkdir(parents=True)
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cgroup").write_text(groups + "\n")
    found = cgroup_freezer.of(7, tmp_path, mount)
    assert found.file == mount / file
    assert found.paused == paused
