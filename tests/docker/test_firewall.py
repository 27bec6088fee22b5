"""The rules stand in front, in both chains and both families, whatever the operator's script does around the block.

Real iptables, nft-backed and legacy, in a network namespace of each test's own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hostctl.core.errors import Refusal
from hostctl.firewall import privileges, rules
from hostctl.firewall.request import FirewallRequest
from lab.box.network import inside

pytestmark = pytest.mark.lab
FAMILIES = ("iptables", "ip6tables")
CRON = {"PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}
"""The environment of a cron job at @reboot (crontab(5))."""


@dataclass
class Vps:
    """A namespace with an interface and a default route, and the operator's script in it."""

    namespace: str
    archive: Path
    script: Path
    folder: Path
    programs: str = ""

    def run(self, *argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.programs}:{os.environ['PATH']}" if self.programs else os.environ["PATH"]
        return subprocess.run(
            inside(self.namespace, argv), capture_output=True, text=True, env={"PATH": path} | environment, timeout=60
        )

    def document(self, **changes: Any) -> dict[str, Any]:
        document: dict[str, Any] = {
            "interfaces": ["eth0"], "ports": [9200, 9201], "ssh_port": 22, "script": str(self.script),
            "folder": str(self.folder), "escalation": "root",
        }  # fmt: skip
        return document | changes

    def hostctl(self, action: str, environment: dict[str, str] | None = None, **changes: Any) -> Any:
        """The answer, or the error's text."""
        path = f"{self.programs}:{os.environ['PATH']}" if self.programs else os.environ["PATH"]
        done = subprocess.run(
            inside(self.namespace, [sys.executable, "-I", "-S", str(self.archive), "firewall", action]),
            input=json.dumps(self.document(**changes)),
            capture_output=True, text=True, timeout=60, env={"PATH": path, **(environment or {})},
        )  # fmt: skip
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr

    def rules(self, family: str = "iptables", chain: str = "") -> list[str]:
        listed = self.run(family, "-S", *([chain] if chain else [])).stdout
        return [line for line in listed.splitlines() if line.startswith("-A")]

    def boot(self) -> subprocess.CompletedProcess[str]:
        """A power cut, then cron's @reboot: nothing of the rules or chains is left when the script runs."""
        for family in FAMILIES:
            self.run(family, "-F")
            self.run(family, "-X")
        cron = CRON if not self.programs else CRON | {"PATH": f"{self.programs}:{CRON['PATH']}"}
        return subprocess.run(
            inside(self.namespace, ["env", "-i", *[f"{key}={value}" for key, value in cron.items()], str(self.script)]),
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip


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


def guarded(vps: Vps) -> dict[str, list[str]]:
    """By family and chain: the ports whose DROP of ours stands before anybody else's rule."""
    found: dict[str, list[str]] = {}
    for family in FAMILIES:
        for chain, option in (("INPUT", "--dport"), ("DOCKER-USER", "--ctorigdstport")):
            leading: list[str] = []
            for rule in vps.rules(family, chain):
                words = rule.split()
                if "sentinel-cutover" not in words or words[words.index("-j") + 1] != "DROP":
                    break
                assert words[words.index("-i") + 1] == "eth0"
                leading.append(words[words.index(option) + 1])
            found[f"{family} {chain}"] = sorted(leading)
    return found


ALL = {f"{family} {chain}": ["9200", "9201"] for family in FAMILIES for chain in ("INPUT", "DOCKER-USER")}


def test_rules_stand_in_both_chains_of_both_families_and_doing_it_twice_changes_nothing(backend: Vps) -> None:
    assert backend.hostctl("apply")["rules"] == "8 set"
    assert guarded(backend) == ALL
    before = {family: backend.rules(family) for family in FAMILIES}
    again = backend.hostctl("apply")
    assert (again["rules"], again["script"]["reason"]) == ("set already", "the script holds the block already")
    assert {family: backend.rules(family) for family in FAMILIES} == before
    assert backend.hostctl("show")["ok"] is True


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


def test_removing_leaves_rules_chains_script_and_folder_as_they_were(backend: Vps) -> None:
    backend.run("iptables", "-A", "INPUT", "-p", "tcp", "--dport", "5432", "-j", "DROP")
    before = {family: backend.run(family, "-S").stdout for family in FAMILIES}
    text = backend.script.read_bytes()
    backend.hostctl("apply")
    backend.hostctl("remove")
    assert {family: backend.run(family, "-S").stdout for family in FAMILIES} == before
    assert backend.script.read_bytes() == text
    assert not backend.folder.exists()
    assert backend.hostctl("remove")["script"]["reason"] == "the script holds no such block"


def test_an_accept_that_somebody_put_in_front_is_overtaken(vps: Vps) -> None:
    vps.hostctl("apply")
    vps.run("iptables", "-I", "INPUT", "-p", "tcp", "-j", "ACCEPT")
    assert vps.hostctl("show")["ok"] is False
    vps.hostctl("apply")
    assert guarded(vps) == ALL
    assert any("ACCEPT" in rule for rule in vps.rules(chain="INPUT"))


def test_a_port_that_is_no_longer_guarded_loses_its_rules_and_no_other_rule_is_touched(vps: Vps) -> None:
    vps.run("iptables", "-N", "DOCKER-USER")
    vps.run("iptables", "-A", "DOCKER-USER", "-j", "RETURN")
    vps.hostctl("apply")
    vps.hostctl("apply", ports=[9201])
    assert guarded(vps) == {where: ["9201"] for where in ALL}
    vps.hostctl("remove")
    assert vps.rules(chain="DOCKER-USER") == ["-A DOCKER-USER -j RETURN"]


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


def test_a_script_whose_rules_cannot_be_set_says_so_and_fails(vps: Vps, tmp_path: Path) -> None:
    vps.hostctl("apply")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "iptables").write_text("#!/bin/sh\nexit 4\n")
    (broken / "iptables").chmod(0o755)
    vps.programs = str(broken)
    ended = vps.boot()
    assert ended.returncode == 1
    assert "sentinel-cutover: the firewall rules could not be set" in ended.stderr


@pytest.mark.parametrize(
    ("changes", "environment"),
    [
        ({"ports": [9200, 22]}, {}),
        ({"ports": [2222], "ssh_port": 2222}, {}),
        ({"ports": [2200]}, {"SSH_CONNECTION": "198.51.100.7 50000 203.0.113.20 2200"}),
    ],
    ids=["22", "configured", "came-by"],
)
def test_the_port_of_ssh_is_never_guarded(vps: Vps, changes: dict[str, Any], environment: dict[str, str]) -> None:
    text = vps.script.read_text()
    assert "is ssh's: guarding it would lock you out" in vps.hostctl("apply", environment, **changes)
    assert (vps.rules(), vps.script.read_text()) == ([], text)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"interfaces": ["eth7"]},
            "this host has no network interface eth7 (it has lo, outside, eth0): set firewall.interface",
        ),
        ({"interfaces": ["eth0; reboot"]}, "'eth0; reboot' is not the name of a network interface"),
        ({"ports": []}, "'ports' in the document on stdin must be a list of whole numbers, at least one"),
        ({"ports": [70000]}, "70000 is not a port"),
        ({"block": "another"}, "the 'block' of the preview does not match these interfaces and ports"),
        ({"escalation": "magic"}, "must be root, sudo or container"),
    ],
)
def test_a_wrong_document_is_refused_before_anything_changes(vps: Vps, changes: dict[str, Any], sentence: str) -> None:
    error = vps.hostctl("apply", **changes)
    assert sentence in error and error.count("\n") == 1
    assert vps.rules() == []


def test_the_interface_is_found_by_the_default_route_and_stays_while_it_exists(vps: Vps) -> None:
    assert vps.hostctl("find")["interfaces"] == ["eth0"]
    for argv in (
        ["ip", "link", "add", "wg0", "type", "veth", "peer", "name", "tunnel"],
        ["ip", "link", "set", "tunnel", "up"],
        ["ip", "link", "set", "wg0", "up"],
        ["ip", "route", "replace", "default", "dev", "wg0"],
    ):
        assert vps.run(*argv).returncode == 0
    assert vps.hostctl("find") == {"interfaces": ["eth0"], "kept": True, "reason": "recorded before"}
    vps.run("ip", "link", "delete", "eth0")
    assert vps.hostctl("find") == {"interfaces": ["wg0"], "kept": False, "reason": "eth0 is gone"}
    vps.hostctl("forget")
    vps.run("ip", "route", "delete", "default")
    assert "no default route, so its public interface is unknown: set firewall.interface" in vps.hostctl("find")
    assert not vps.folder.exists()


def test_sudo_never_waits_for_a_password(vps: Vps, tmp_path: Path) -> None:
    """Debian's sudo stands in: a program of that name that notes its arguments and runs them, as sudo does."""
    programs = tmp_path / "sudo"
    programs.mkdir()
    (programs / "sudo").write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {tmp_path}/arguments\nshift\nexec "$@"\n')
    (programs / "sudo").chmod(0o755)
    vps.programs = str(programs)
    vps.hostctl("apply", escalation="sudo")
    assert set((tmp_path / "arguments").read_text().splitlines()) == {"-n sh"}
    assert guarded(vps) == ALL


def test_a_user_who_is_not_root_reads_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Refusal, match="set it to sudo"):
        privileges.runner(FirewallRequest("/srv", ("eth0",), (9200,), "/srv/script"))


def test_no_bridge_is_named_so_that_a_network_made_anew_changes_nothing() -> None:
    text = rules.block(["eth0"], [9200]).text
    assert "br-" not in text and "docker0" not in text
