"""`firewall apply|remove|show`: the guarded ports are closed on the public interface, now and after every boot.

Owns: the rules with our comment in INPUT and DOCKER-USER, and the managed block of the operator's firewall script.
Deliberately does not: touch another rule, another line of the script, or the port of ssh.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from typing import Any

from hostctl.core.errors import Refusal
from hostctl.core.lock import held
from hostctl.firewall import interface, rules
from hostctl.firewall.privileges import runner
from hostctl.firewall.request import FirewallRequest
from hostctl.host import listeners
from hostctl.schedule import script_block, script_runner


def apply(request: FirewallRequest) -> dict[str, Any]:
    """Write the block and run it, in place of any earlier rules and block of ours."""
    run, block = runner(request), request.expected_block
    _require_ssh_open(request.ports, request.ssh_port)
    _require_interfaces(request.interfaces)
    if request.block and request.block != block.text:
        raise Refusal("the 'block' of the preview does not match these interfaces and ports: run 'pulumi up' again")
    with held(request.folder, "firewall apply"):
        before = _ours(run(rules.listing()))
        # Rules first: a script that is refused leaves the ports guarded until the next boot.
        run(block.text)
        after = _ours(run(rules.listing()))
        written = script_block.put(request.script, block, request.copy)
    return {
        "interfaces": list(request.interfaces),
        "ports": list(request.ports),
        "rules": "set already" if before == after else f"{len(after)} set",
        "script": {"path": request.script, "reason": written.reason, "copy": written.copy},
    }


def remove(request: FirewallRequest) -> dict[str, Any]:
    """Take the block out of the script and remove all our rules; an absent one is not an error."""
    run = runner(request)
    with held(request.folder, "firewall remove"):
        taken = script_block.take(request.script, request.expected_block, request.copy)
        run(rules.removal())
    for name in ("lock", "run"):
        if os.path.exists(os.path.join(request.folder, name)):
            os.unlink(os.path.join(request.folder, name))
    if not os.listdir(request.folder):
        os.rmdir(request.folder)
    return {"rules": "removed", "script": {"path": request.script, "reason": taken.reason, "copy": taken.copy}}


def show(request: FirewallRequest) -> dict[str, Any]:
    """Our rules and those that are missing, now and for the next boot. Changes nothing.

    `reached`: packets get to DOCKER-USER at all (Docker jumps to it from FORWARD). `block`: the script holds ours.
    `at_boot`: the table of the host that names the script.
    """
    families = _families(runner(request)(rules.listing()))
    expected = [_arguments(rule) for rule in rules.rules(request.interfaces, request.ports)]
    missing = [
        f"{family}: {' '.join(sorted(rule))}"
        for family, listed in families.items()
        for rule in expected
        if rule not in [_arguments(leading) for leading in _leading(listed, sorted(rule & {"INPUT", "DOCKER-USER"})[0])]
    ]
    script = script_block.read(request.script)
    block = script is not None and script_block.held(script, request.expected_block, request.script)
    return {
        "ok": not missing and block,
        "interfaces": list(request.interfaces),
        "ports": list(request.ports),
        "rules": {family: [rule for rule in listed if _is_ours(rule)] for family, listed in families.items()},
        "missing": missing,
        "reached": any(rule.startswith("-A FORWARD -j DOCKER-USER") for rule in families.get("iptables", [])),
        "script": {"path": request.script, "block": block, "at_boot": script_runner.table_naming(request.script)},
    }


def _require_ssh_open(ports: Sequence[int], ssh_port: int) -> None:
    """Refuse ssh's port, known from the configuration, from this connection and from the listeners."""
    # "client-address client-port server-address server-port" (ssh(1)).
    came_by = os.environ.get("SSH_CONNECTION", "").split()[3:]
    for port in ports:
        if port in (22, ssh_port) or str(port) in came_by or "(sshd)" in (listeners.listener(port) or ""):
            raise Refusal(f"port {port} is ssh's: guarding it would lock you out; remove it from firewall.guard_ports")


def _require_interfaces(interfaces: Sequence[str]) -> None:
    existing = interface.names()
    for name in interfaces:
        if name not in existing and "+" not in name:
            raise Refusal(
                f"this host has no network interface {name} (it has {', '.join(existing)}): set firewall.interface"
            )


def _families(listing: str) -> dict[str, list[str]]:
    families: dict[str, list[str]] = {}
    family = ""
    for line in listing.splitlines():
        if line in ("iptables", "ip6tables"):
            family = line
            families[family] = []
        elif line.startswith("-") and family:
            families[family].append(line.strip())
    return families


def _ours(listing: str) -> list[str]:
    return [f"{family} {rule}" for family, listed in _families(listing).items() for rule in listed if _is_ours(rule)]


def _is_ours(rule: str) -> bool:
    return f" --comment {rules.MARK} " in rule


def _leading(listed: Sequence[str], chain: str) -> list[str]:
    """Our rules that no other rule precedes: an ACCEPT before them would let a packet through."""
    leading: list[str] = []
    for rule in listed:
        if not rule.startswith(f"-A {chain} "):
            continue
        if not _is_ours(rule):
            break
        leading.append(rule)
    return leading


def _arguments(rule: str) -> frozenset[str]:
    """A rule's arguments without their order, which differs between versions of iptables."""
    return frozenset(shlex.split(rule.removeprefix("-A ")))
