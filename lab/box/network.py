"""The two ends of a cable: the VPS and everybody else.

        sentinel-vps-<id>                          sentinel-wan-<id>
    +--------------------------+              +--------------------------+
    |  the VPS                 |              |  the outside             |
    |  dockerd, sshd, iptables |              |  (an attacker's view)    |
    |  lo    127.0.0.1         |     veth     |  lo    127.0.0.1         |
    |  eth0  203.0.113.10/24   |--------------|  eth0  203.0.113.1/24    |
    |        2001:db8:9200::10 |              |        2001:db8:9200::1  |
    |  default via wan         |              |  no way further          |
    +--------------------------+              +--------------------------+

No end of it is in the machine's own namespace, so nothing there can be reached from inside, and its iptables, routes
and interfaces stay as they are. Addresses are for documentation (RFC 5737, RFC 3849).

Owns: the namespaces, the cable between them and their addresses.
Deliberately does not: touch the machine's own namespace, nor set any firewall rule.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.box.place import Place

NAMESPACES = Path("/run/netns")
"""The folder in which `ip netns` binds namespaces (ip-netns(8))."""

IPV6_SUPPORT = Path("/proc/sys/net/ipv6")


@dataclass(frozen=True)
class End:
    """One end of the cable; `addresses` without `/length`, the other end is the gateway when `default_route`."""

    ipv4: str
    ipv6: str
    default_route: bool


VPS = End(ipv4="203.0.113.10", ipv6="2001:db8:9200::10", default_route=True)
WAN = End(ipv4="203.0.113.1", ipv6="2001:db8:9200::1", default_route=False)
IPV4_LENGTH = 24
IPV6_LENGTH = 64


def commands(place: Place, *, ipv6: bool) -> list[list[str]]:
    """The `ip` commands that lay the cable, in order; both ends are created inside the namespaces."""
    made: list[list[str]] = [["ip", "netns", "add", place.vps], ["ip", "netns", "add", place.wan]]
    made.append(
        ["ip", "-n", place.vps, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", place.wan]
    )
    for name, end, other in ((place.vps, VPS, WAN), (place.wan, WAN, VPS)):
        inside = ["ip", "-n", name]
        made.append([*inside, "link", "set", "lo", "up"])
        made.append([*inside, "address", "add", f"{end.ipv4}/{IPV4_LENGTH}", "dev", "eth0"])
        if ipv6:
            # Without nodad the address is unusable for a second, and sshd could not bind it.
            made.append([*inside, "-6", "address", "add", f"{end.ipv6}/{IPV6_LENGTH}", "dev", "eth0", "nodad"])
        made.append([*inside, "link", "set", "eth0", "up"])
        if end.default_route:
            made.append([*inside, "route", "add", "default", "via", other.ipv4])
            if ipv6:
                made.append([*inside, "-6", "route", "add", "default", "via", other.ipv6])
    return made


def lay(place: Place, lock: int) -> None:
    """`lock` goes to each command: one that outlives a killed run keeps the next run waiting until it has ended."""
    for command in commands(place, ipv6=has_ipv6()):
        subprocess.run(command, check=True, capture_output=True, text=True, pass_fds=(lock,))


def has_ipv6() -> bool:
    return IPV6_SUPPORT.is_dir()


def namespace(name: str) -> Path:
    return NAMESPACES / name


def inside(name: str, command: Sequence[str]) -> list[str]:
    """The command, run in the namespace; `ip netns exec` would hide /sys/fs/cgroup from it."""
    return ["nsenter", f"--net={namespace(name)}", "--", *command]


def standing(place: Place) -> bool:
    """True when both namespaces exist with the cable between them."""
    return all(_has_cable(name) for name in (place.vps, place.wan))


def remove(place: Place) -> None:
    """Cable first: a process that still sits in a namespace would keep the cable alive without a name."""
    for name in remaining(place):
        subprocess.run(["ip", "-n", name, "link", "delete", "eth0"], check=False, capture_output=True)
        deleted = subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
        if deleted.returncode:
            # A run killed between the file and its mount leaves a plain file, which `ip` refuses.
            namespace(name).unlink(missing_ok=True)


def remaining(place: Place) -> list[str]:
    """The names of this lab's namespaces that exist."""
    return [name for name in (place.vps, place.wan) if namespace(name).exists()]


def _has_cable(name: str) -> bool:
    if not namespace(name).exists():
        return False
    shown = subprocess.run(
        ["ip", "-n", name, "-o", "link", "show", "eth0"], check=False, capture_output=True, text=True
    )
    return shown.returncode == 0 and "state UP" in shown.stdout
