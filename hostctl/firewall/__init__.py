"""`firewall apply|restore|remove|show`: the guarded ports are closed on the public interface, now and after each boot.

Owns: the rules with our comment in INPUT and DOCKER-USER, and what brings them back (`hostctl/firewall/at_boot.py`).
Deliberately does not: touch another rule, another line of the script, or the port of ssh.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from hostctl.core import json_file
from hostctl.core.errors import Refusal
from hostctl.core.lock import held
from hostctl.docker.engine import Engine
from hostctl.firewall import at_boot, interface, kept, listed, rules
from hostctl.firewall.privileges import LINES, runner
from hostctl.firewall.request import FirewallRequest
from hostctl.host import listeners
from hostctl.schedule import script_block, script_runner

BOOT_SECONDS = 300.0
"""Until Docker is up, for rules that a container sets."""


def apply(request: FirewallRequest) -> dict[str, Any]:
    """Write the block and run it, in place of any earlier rules and block of ours."""
    run, block = runner(request), request.expected_block
    _require_ssh_open(request.ports, request.ssh_port)
    _require_interfaces(request.interfaces)
    if request.block and request.block != block.text:
        raise Refusal("the 'block' of the preview does not match these interfaces and ports: run 'pulumi up' again")
    with held(request.folder, "firewall apply"):
        before = listed.ours(run(rules.listing()))
        # Rules first: a script that is refused leaves the ports guarded until the next boot.
        run(block.text)
        after = listed.ours(run(rules.listing()))
        written = at_boot.write(request, at_boot.way(request))
    return {
        "interfaces": list(request.interfaces),
        "ports": list(request.ports),
        "rules": "set already" if before == after else f"{len(after)} set",
        "script": {"path": request.script, "reason": written.reason, "copy": written.copy},
        **kept.keep(request),
    }


def restore(request: FirewallRequest) -> dict[str, Any]:
    """Set the rules again after a boot, as the host's entry does; the host has them as they were applied."""
    if request.escalation == "container":
        Engine(request.docker_socket).wait_until_up(BOOT_SECONDS)
    with held(request.folder, "firewall restore"):
        runner(request)(request.expected_block.text)
    return {"rules": "set", "ports": list(request.ports)}


def remove(request: FirewallRequest) -> dict[str, Any]:
    """Take block and entry off the host and remove all our rules; an absent one is not an error."""
    run = runner(request)
    # First, or it would set again what is removed.
    kept.forget(request)
    with held(request.folder, "firewall remove"):
        at_boot.remove_entry(request)
        taken = script_block.take(request.script, request.expected_block, request.copy)
        run(rules.removal())
    left = [name for name in os.listdir(request.folder) if name.startswith(LINES)]
    json_file.remove(request.folder, "lock", *left)
    return {"rules": "removed", "script": {"path": request.script, "reason": taken.reason, "copy": taken.copy}}


def show(request: FirewallRequest) -> dict[str, Any]:
    """Our rules and those that no packet meets, now and for the next boot. Changes nothing.

    `missing` are rules that are not there, or behind somebody else's; `unreached` the families whose packets are
    accepted before they get to DOCKER-USER. `block`: the script holds ours. `at_boot`: the table of the host that names
    the script. `boot`: the reason why they would not come back, and the entry of ours that brings them back.
    """
    families = listed.families(runner(request)(rules.listing()))
    missing, unreached = listed.missing(request, families), listed.unreached(families)
    way = at_boot.way(request)
    block = way.block and at_boot.holds_block(request)
    lost = at_boot.problem(request, way)
    return {
        "ok": not missing and not unreached and not lost,
        "interfaces": list(request.interfaces),
        "ports": list(request.ports),
        "rules": {family: list(filter(listed.is_ours, found)) for family, found in families.items()},
        "missing": missing,
        "unreached": unreached,
        "script": {
            "path": request.script,
            "block": block,
            "at_boot": script_runner.table_naming(request.script, request.scheduler.cron_folder),
        },
        "boot": {"problem": lost, "entry": at_boot.job(request).place if way.entry else ""},
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
