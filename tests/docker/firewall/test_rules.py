"""The rules stand in front, in both chains and both families, and go again without a trace.

Real iptables, nft-backed and legacy, in a network namespace of each test's own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hostctl.firewall import rules
from tests.docker.firewall.vps import ALL, FAMILIES, Vps, guarded

pytestmark = pytest.mark.lab


def test_rules_stand_in_both_chains_of_both_families_and_doing_it_twice_changes_nothing(backend: Vps) -> None:
    assert backend.hostctl("apply")["rules"] == "10 set"
    assert guarded(backend) == ALL
    before = {family: backend.rules(family) for family in FAMILIES}
    again = backend.hostctl("apply")
    assert (again["rules"], again["script"]["reason"]) == ("set already", "the script holds the block already")
    assert {family: backend.rules(family) for family in FAMILIES} == before
    assert backend.hostctl("show")["ok"] is True


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


def test_no_bridge_is_named_so_that_a_network_made_anew_changes_nothing() -> None:
    text = rules.block(["eth0"], [9200]).text
    assert "br-" not in text and "docker0" not in text


def test_rules_in_a_chain_that_nothing_jumps_to_are_not_ok_and_the_jump_is_ours(backend: Vps) -> None:
    backend.hostctl("apply")
    assert backend.hostctl("show")["unreached"] == []
    backend.run("iptables", "-D", "FORWARD", *rules.JUMP.split()[1:])
    shown = backend.hostctl("show")
    assert (shown["ok"], shown["missing"], shown["unreached"]) == (False, [], ["iptables"])
    backend.hostctl("apply")
    assert backend.hostctl("show")["ok"] is True


def test_rules_that_were_flushed_are_set_again_by_the_job_which_goes_with_them(vps: Vps, tmp_path: Path) -> None:
    cron = tmp_path / "cron.d"
    cron.mkdir()
    scheduler = {"kind": "cron", "unit_folder": str(tmp_path), "cron_folder": str(cron)}
    kept: dict[str, Any] = {"program": str(vps.archive), "scheduler": scheduler}
    assert vps.hostctl("apply", **kept)["repair"] == str(cron / "sentinel-firewall")
    assert vps.hostctl("repair", **kept) == {"unmet": [], "left": []}
    vps.run("iptables", "-F")
    assert len(vps.hostctl("guard")["unmet"]) == 5
    found = vps.hostctl("repair", **kept)
    assert (len(found["unmet"]), found["left"]) == (5, [])
    assert guarded(vps) == ALL
    assert json.loads((vps.folder / "state.json").read_text())["unmet"] == 5
    vps.hostctl("remove", **kept)
    assert not vps.folder.exists() and not list(cron.iterdir())
    assert vps.hostctl("guard") == {}


def test_a_packet_that_another_chain_accepts_first_is_not_guarded(vps: Vps) -> None:
    vps.hostctl("apply")
    vps.run("iptables", "-I", "FORWARD", "-o", "eth0", "-j", "ACCEPT")
    assert vps.hostctl("show")["unreached"] == ["iptables"]
    vps.hostctl("apply")
    assert vps.hostctl("show")["unreached"] == []


def test_a_host_without_an_ipv6_address_has_rules_of_ipv4_alone(backend: Vps) -> None:
    assert backend.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6").returncode == 0
    (Path(backend.programs) / "ip6tables").unlink()
    (Path(backend.programs) / "ip6tables").symlink_to("/bin/false")
    assert backend.hostctl("apply")["rules"] == "5 set"
    shown = backend.hostctl("show")
    assert (shown["ok"], list(shown["rules"])) == (True, ["iptables"])


def test_each_of_two_public_interfaces_has_its_rules(backend: Vps) -> None:
    for argv in (
        ["ip", "link", "add", "eth1", "type", "veth", "peer", "name", "far"],
        ["ip", "link", "set", "eth1", "up"],
    ):
        assert backend.run(*argv).returncode == 0
    both = ["eth0", "eth1"]
    assert backend.hostctl("apply", interfaces=both)["rules"] == "18 set"
    shown = backend.hostctl("show", interfaces=both)
    assert (shown["ok"], shown["missing"]) == (True, [])
    assert backend.hostctl("show", interfaces=["eth0"])["missing"] == []
