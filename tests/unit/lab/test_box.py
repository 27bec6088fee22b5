"""The parts of the box that need no running one."""

from __future__ import annotations

import errno
import os
import platform
import shutil
from pathlib import Path

import pytest

from console.errors import UserError
from console.progress import Progress
from lab.box import Place, lifecycle, mounts, network, tools


def test_two_clones_share_no_name(tmp_path: Path) -> None:
    one, other = Place(tmp_path / "one"), Place(tmp_path / "other")
    for name in ("vps", "wan", "run", "docker_socket", "host_cgroup", "container_cgroup"):
        assert getattr(one, name) != getattr(other, name)


def test_the_sockets_path_fits_whatever_the_repositorys_path_is(tmp_path: Path) -> None:
    deep = Place(tmp_path / ("long" * 40))
    assert len(f"{deep.run}/docker/containerd/containerd.sock.ttrpc") <= 107


def test_no_end_of_the_cable_is_ever_in_the_machines_own_namespace(tmp_path: Path) -> None:
    for command in network.commands(Place(tmp_path), ipv6=True):
        assert command[:3] == ["ip", "netns", "add"] or command[:2] == ["ip", "-n"]


def test_without_ipv6_no_command_names_it(tmp_path: Path) -> None:
    assert not any(":" in part for command in network.commands(Place(tmp_path), ipv6=False) for part in command)


def test_not_linux_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    with pytest.raises(UserError) as caught:
        tools.require_system()
    assert str(caught.value) == (
        "The lab is made of Linux network namespaces and this is Darwin: "
        "`make unit` and `make lint` need no lab, and STACK=prod acts on a host over ssh."
    )


def test_not_root_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UserError) as caught:
        tools.require_system()
    assert str(caught.value) == (
        "The lab makes network namespaces, which only root may: run `sudo make …`; "
        "`make unit` and `make lint` need no lab, and STACK=prod acts on a host over ssh."
    )


def test_a_folder_that_somebody_still_writes_to_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path)
    place.folder.mkdir()
    remove = shutil.rmtree

    def written_to_meanwhile(path: Path, ignore_errors: bool = False) -> None:
        remove(path, ignore_errors=True)
        if path == place.folder:
            path.mkdir()
            if not ignore_errors:
                raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(path))

    monkeypatch.setattr(shutil, "rmtree", written_to_meanwhile)
    monkeypatch.setattr(tools, "require_system", lambda: None)
    with pytest.raises(UserError) as caught:
        lifecycle.down(place, Progress(tmp_path / "log"))
    assert str(caught.value) == (f"The lab could not be removed whole: folder {place.folder}; run `make down` again.")


def test_services_stay_down_while_packages_are_installed(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with tools.services_held_back(policy):
        assert policy.read_text().endswith("exit 101\n")
        assert os.access(policy, os.X_OK)
    assert not policy.exists()


def test_the_machines_own_policy_is_left_alone(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 0\n")
    with tools.services_held_back(policy):
        assert policy.read_text() == "#!/bin/sh\nexit 0\n"
    assert policy.read_text() == "#!/bin/sh\nexit 0\n"


def test_a_policy_that_a_killed_run_left_is_taken_away(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with tools.services_held_back(policy):
        left = policy.read_text()
    policy.write_text(left)
    with tools.services_held_back(policy):
        pass
    assert not policy.exists()


def test_no_mount_lies_below_a_folder_that_only_begins_alike() -> None:
    assert mounts.below([Path("/pro")]) == []
    assert Path("/proc") in mounts.below([Path("/proc")])
