"""The namespace of each test's own, and in it each kind of the host's iptables."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.firewall.vps import FAMILIES, Vps


@pytest.fixture
def vps(archive: Path, tmp_path: Path) -> Iterator[Vps]:
    name = f"fw{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    for argv in (
        ["ip", "-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", "outside"],
        ["ip", "-n", name, "link", "set", "outside", "up"],
        ["ip", "-n", name, "address", "add", "203.0.113.20/24", "dev", "eth0"],
        ["ip", "-n", name, "link", "set", "eth0", "up"],
        ["ip", "-n", name, "route", "add", "default", "via", "203.0.113.1"],
    ):
        subprocess.run(argv, check=True)
    script = tmp_path / "fix-iptables.sh"
    script.write_text("#!/bin/sh\n# Rules that do not survive a boot.\nset -eu\ntrue\n")
    script.chmod(0o755)
    try:
        yield Vps(name, archive, script, tmp_path / "firewall")
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


@pytest.fixture(params=["nft", "legacy"])
def backend(request: pytest.FixtureRequest, vps: Vps, tmp_path: Path) -> Vps:
    """The host's iptables is of this kind: the names in front of PATH lead to it."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for family in FAMILIES:
        for end in ("", "-restore"):
            found = shutil.which(f"{family}-{request.param}{end}", path="/usr/sbin:/sbin")
            if found is None:
                pytest.skip(f"{family}-{request.param} is not on this machine (Debian's package iptables has both)")
            (programs / f"{family}{end}").symlink_to(found)
    vps.programs = str(programs)
    return vps
