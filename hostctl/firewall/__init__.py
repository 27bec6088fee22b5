"""`firewall apply|remove|show`: the guarded ports are closed on the public interface, now and after every boot.

Owns: the rules with our comment in INPUT and DOCKER-USER, and the managed block of the operator's firewall script.
Deliberately does not: touch another rule, another line of the script, or the port of ssh.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hostctl.core.documents import Document, rows
from hostctl.core.errors import Refusal
from hostctl.core.lock import held
from hostctl.firewall import interface, rules
from hostctl.firewall.privileges import runner
from hostctl.host import listeners
from hostctl.schedule import script_block

COPY = "script-before"
_CRON = ("/etc/crontab", "/etc/cron.d", "/var/spool/cron/crontabs", "/var/spool/cron", "/etc/rc.local")
_UNITS = ("/etc/systemd/system", "/etc/network", "/etc/networkd-dispatcher")


@dataclass(frozen=True)
class Wanted:
    """Which ports are guarded on which interfaces, and the operator's script that does it at boot."""

    interfaces: tuple[str, ...]
    ports: tuple[int, ...]
    script: str
    folder: str

    @classmethod
    def of(cls, document: Document) -> Wanted:
        ports = _ports(document)
        return cls(tuple(document.texts("interfaces")), ports, document.text("script"), document.text("folder"))

    @property
    def block(self) -> script_block.Block:
        return rules.block(self.interfaces, self.ports)

    @property
    def copy(self) -> str:
        return os.path.join(self.folder, COPY)


def apply(document: Document) -> dict[str, Any]:
    """Write the block and run it; both are as asked afterwards, whatever was there of ours before."""
    wanted, run = Wanted.of(document), runner(document)
    block, shown = wanted.block, document.text("block", "")
    _require_ssh_open(wanted.ports, document.whole_number("ssh_port", 22))
    _require_interfaces(wanted.interfaces)
    if shown and shown != block.text:
        raise Refusal("the 'block' that was shown is not the one of these interfaces and ports: run 'pulumi up' again")
    with held(wanted.folder, "firewall apply"):
        before = _ours(run(rules.listing()))
        # Rules first: a script that is refused leaves the ports guarded until the next boot.
        run(block.text)
        after = _ours(run(rules.listing()))
        written = script_block.put(wanted.script, block, wanted.copy)
    return {
        "interfaces": list(wanted.interfaces),
        "ports": list(wanted.ports),
        "rules": "as asked already" if before == after else f"{len(after)} set",
        "script": {"path": wanted.script, "reason": written.reason, "copy": written.copy},
    }


def remove(document: Document) -> dict[str, Any]:
    """Take the block out of the script and every rule of ours away; what is gone already is no error."""
    wanted, run = Wanted.of(document), runner(document)
    with held(wanted.folder, "firewall remove"):
        taken = script_block.take(wanted.script, wanted.block, wanted.copy)
        run(rules.removal())
    for name in ("lock", "run"):
        if os.path.exists(os.path.join(wanted.folder, name)):
            os.unlink(os.path.join(wanted.folder, name))
    if not os.listdir(wanted.folder):
        os.rmdir(wanted.folder)
    return {"rules": "removed", "script": {"path": wanted.script, "reason": taken.reason, "copy": taken.copy}}


def show(document: Document) -> dict[str, Any]:
    """What holds now: the rules of ours, what is missing, whether the script brings them back. Changes nothing.

    `reached` says whether packets get to DOCKER-USER at all (Docker jumps to it from FORWARD), `at_boot` which of the
    host's own tables names the script.
    """
    wanted, families = Wanted.of(document), _families(runner(document)(rules.listing()))
    expected = [_words(rule) for rule in rules.rules(wanted.interfaces, wanted.ports)]
    missing = [
        f"{family}: {' '.join(sorted(rule))}"
        for family, found in families.items()
        for rule in expected
        if rule not in [_words(one) for one in _leading(found, sorted(rule & {"INPUT", "DOCKER-USER"})[0])]
    ]
    script = script_block.read(wanted.script)
    block = script is not None and script_block.held(script, wanted.block, wanted.script)
    return {
        "ok": not missing and block,
        "interfaces": list(wanted.interfaces),
        "ports": list(wanted.ports),
        "rules": {family: [one for one in found if _is_ours(one)] for family, found in families.items()},
        "missing": missing,
        "reached": any(one.startswith("-A FORWARD -j DOCKER-USER") for one in families.get("iptables", [])),
        "script": {"path": wanted.script, "block": block, "at_boot": named_at_boot(wanted.script)},
    }


def _ports(document: Document) -> tuple[int, ...]:
    given = rows(document.optional("ports"))
    if not given or not all(type(port) is int for port in given):
        raise Refusal("'ports' in the document on stdin must be a list of whole numbers, at least one")
    return tuple(dict.fromkeys(given))


def _require_ssh_open(ports: Sequence[int], ssh_port: int) -> None:
    """By what is configured, by the connection that we came in on, and by who listens."""
    # "client-address client-port server-address server-port" (ssh(1)).
    came_by = os.environ.get("SSH_CONNECTION", "").split()[3:]
    for port in ports:
        if port in (22, ssh_port) or str(port) in came_by or "(sshd)" in (listeners.listener(port) or ""):
            raise Refusal(f"port {port} is ssh's: guarding it would lock you out; take it from firewall.guard_ports")


def _require_interfaces(interfaces: Sequence[str]) -> None:
    existing = interface.names()
    for name in interfaces:
        if name not in existing and "+" not in name:
            raise Refusal(
                f"this host has no network interface {name} (it has {', '.join(existing)}): set firewall.interface"
            )


def _families(listed: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    family = ""
    for line in listed.splitlines():
        if line in ("iptables", "ip6tables"):
            family = line
            found[family] = []
        elif line.startswith("-") and family:
            found[family].append(line.strip())
    return found


def _ours(listed: str) -> list[str]:
    return [f"{family} {one}" for family, found in _families(listed).items() for one in found if _is_ours(one)]


def _is_ours(rule: str) -> bool:
    return f" --comment {rules.MARK} " in rule


def _leading(found: Sequence[str], chain: str) -> list[str]:
    """The rules of ours that nobody's rule stands before: an ACCEPT there would let a packet by."""
    leading: list[str] = []
    for rule in found:
        if not rule.startswith(f"-A {chain} "):
            continue
        if not _is_ours(rule):
            break
        leading.append(rule)
    return leading


def _words(rule: str) -> frozenset[str]:
    """A rule's words without their order, which differs between versions of iptables."""
    return frozenset(shlex.split(rule.removeprefix("-A ")))


def named_at_boot(script: str) -> str:
    """The table of the host that names the script, empty where none that this user may read does."""
    name = os.path.basename(script)
    for top in (*_CRON, *_UNITS):
        for path in [os.path.join(top, one) for one in sorted(os.listdir(top))] if _is_folder(top) else [top]:
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    if any(name in line for line in file if not line.lstrip().startswith("#")):
                        return path
            except OSError:
                continue
    return ""


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) and os.access(path, os.R_OK | os.X_OK)
