"""The rules after a boot or a flush, whatever the operator's script does around the block."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docker.firewall.vps import ALL, Vps, guarded

pytestmark = pytest.mark.lab


def test_after_a_boot_the_script_alone_brings_them_back(vps: Vps) -> None:
    vps.hostctl("apply")
    assert vps.boot().returncode == 0
    assert guarded(vps) == ALL


def test_a_flush_and_a_rerun_of_the_script_bring_them_back(vps: Vps) -> None:
    vps.hostctl("apply")
    vps.run("iptables", "-F", "DOCKER-USER")
    shown = vps.hostctl("show")
    assert (shown["ok"], len(shown["missing"])) == (False, 2)
    vps.run(str(vps.script))
    assert vps.hostctl("show")["ok"] is True


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("set -eu\nfalse\ntrue\n", 1),
        ("exit 3\n", 3),
        ("set -eu\nunknown_program\n", 127),
        ("/usr/sbin/iptables -F\n/usr/sbin/ip6tables -F\n", 0),
        ("set -eu\n/usr/sbin/iptables -F INPUT\nexit 0\n", 0),
        ("exec true\n", 0),
        ("trap 'true' EXIT\nexit 4\n", 4),
        ("set -eu\necho \"$never_set\"\n", 2),
    ],
    ids=["set -e", "exit", "unknown", "flush", "flush-and-exit", "exec", "own-trap", "set -u"],
)  # fmt: skip
def test_the_rules_stand_however_the_operators_script_goes_on_and_ends(vps: Vps, ending: str, status: int) -> None:
    vps.script.write_text(f"#!/bin/sh\n{ending}")
    assert vps.boot().returncode == status
    vps.hostctl("apply")
    assert vps.boot().returncode == status
    assert guarded(vps) == ALL


def test_a_bash_script_with_every_strict_option_takes_the_block_too(vps: Vps) -> None:
    vps.script.write_text("#!/bin/bash\nset -Eeuo pipefail\nshopt -s inherit_errexit\n[[ 1 == 1 ]]\n")
    vps.hostctl("apply")
    assert vps.boot().returncode == 0
    assert guarded(vps) == ALL


def test_a_script_whose_rules_cannot_be_set_says_so_and_ends_as_ever(vps: Vps, tmp_path: Path) -> None:
    vps.hostctl("apply")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "iptables").write_text("#!/bin/sh\nexit 4\n")
    (broken / "iptables").chmod(0o755)
    vps.programs = str(broken)
    ended = vps.boot()
    assert ended.returncode == 0
    assert "sentinel-cutover: the firewall rules could not be set" in ended.stderr
