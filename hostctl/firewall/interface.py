"""`firewall find` and `firewall forget`: the public interface by the default route, found once and then recorded.

Owns: the record of the interface. Deliberately does not: follow the route: a VPN that takes the default route over
would take the guard away from where the outside comes in.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from typing import Any

from hostctl.core import atomic_file
from hostctl.core.documents import parsed, rows, table
from hostctl.core.errors import Refusal

RECORD = "interface.json"
_UP = 0x1
_REJECT = 0x200


@dataclass(frozen=True)
class InterfaceRequest:
    """The folder of the record."""

    folder: str


def find(request: InterfaceRequest) -> dict[str, Any]:
    """The interfaces of the IPv4 and the IPv6 default route; those on record stay while they exist."""
    path = os.path.join(request.folder, RECORD)
    recorded = _recorded(path)
    existing = names()
    if recorded and all(name in existing for name in recorded):
        return {"interfaces": recorded, "kept": True, "reason": "recorded before"}
    found = default_routes()
    if not found:
        raise Refusal("this host has no default route, so its public interface is unknown: set firewall.interface")
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    atomic_file.write(path, (json.dumps({"interfaces": found}) + "\n").encode(), 0o644)
    reason = f"{', '.join(recorded)} is gone" if recorded else "found by the default route"
    return {"interfaces": found, "kept": False, "reason": reason}


def forget(request: InterfaceRequest) -> dict[str, Any]:
    """Remove the record, and its folder when nothing else is in it."""
    folder = request.folder
    path = os.path.join(folder, RECORD)
    there = os.path.exists(path)
    if there:
        os.unlink(path)
    if os.path.isdir(folder) and not os.listdir(folder):
        os.rmdir(folder)
    return {"removed": there}


def names() -> list[str]:
    """The network interfaces of this host; /sys would show those of the namespace in which it was mounted."""
    return [name for _, name in socket.if_nameindex()]


def default_routes() -> list[str]:
    """The interface of each family's best default route, without repetition."""
    best = [_best(_ipv4(_lines("/proc/net/route"))), _best(_ipv6(_lines("/proc/net/ipv6_route")))]
    return list(dict.fromkeys(name for name in best if name))


def _best(routes: list[tuple[int, str]]) -> str:
    return min(routes)[1] if routes else ""


def _ipv4(lines: list[list[str]]) -> list[tuple[int, str]]:
    """(metric, interface) of the default routes: Iface Destination Gateway Flags RefCnt Use Metric Mask (proc(5))."""
    return [
        (int(words[6]), words[0])
        for words in lines[1:]
        if words[1] == words[7] == "00000000" and int(words[3], 16) & (_UP | _REJECT) == _UP
    ]


def _ipv6(lines: list[list[str]]) -> list[tuple[int, str]]:
    """The same of: destination, length, source, length, next hop, metric, references, use, flags, interface (hex)."""
    return [
        (int(words[5], 16), words[9])
        for words in lines
        if words[1] == "00" and words[0] == "0" * 32 and int(words[8], 16) & (_UP | _REJECT) == _UP and words[9] != "lo"
    ]


def _lines(path: str) -> list[list[str]]:
    try:
        with open(path, encoding="ascii") as file:
            return [line.split() for line in file]
    except OSError:
        return []


def _recorded(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as file:
            return [str(name) for name in rows(table(parsed(file.read())).get("interfaces"))]
    except FileNotFoundError:
        return []
