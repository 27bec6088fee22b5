"""`firewall find` and `firewall forget`: the public interface by the default route, found once and then recorded.

The route is not followed: a VPN that takes over the default route would move the guard off the public interface.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import Any

from hostctl.core import json_file
from hostctl.core.documents import rows
from hostctl.core.errors import Refusal

RECORD = "interface.json"
_UP = 0x1
_REJECT = 0x200


@dataclass(frozen=True)
class InterfaceRequest:
    """The folder of the record."""

    folder: str


def find(request: InterfaceRequest) -> dict[str, Any]:
    """The interfaces of the IPv4 and the IPv6 default route; those recorded before stay while they exist."""
    path = os.path.join(request.folder, RECORD)
    recorded = [str(name) for name in rows((json_file.read(path) or {}).get("interfaces"))]
    existing = names()
    if recorded and all(name in existing for name in recorded):
        return {"interfaces": recorded, "kept": True, "reason": "recorded before"}
    interfaces = default_routes()
    if not interfaces:
        raise Refusal("this host has no default route, so its public interface is unknown: set firewall.interface")
    json_file.write(path, {"interfaces": interfaces}, 0o644)
    reason = f"{', '.join(recorded)} is gone" if recorded else "found by the default route"
    return {"interfaces": interfaces, "kept": False, "reason": reason}


def forget(request: InterfaceRequest) -> dict[str, Any]:
    """Remove the record, and its folder when nothing else is in it."""
    return {"removed": bool(json_file.remove(request.folder, RECORD))}


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
        (int(fields[6]), fields[0])
        for fields in lines[1:]
        if fields[1] == fields[7] == "00000000" and int(fields[3], 16) & (_UP | _REJECT) == _UP
    ]


def _ipv6(lines: list[list[str]]) -> list[tuple[int, str]]:
    """The same by: destination, length, source, length, next hop, metric, references, use, flags, interface (hex)."""
    return [
        (int(fields[5], 16), fields[9])
        for fields in lines
        if fields[1] == "00"
        and fields[0] == "0" * 32
        and int(fields[8], 16) & (_UP | _REJECT) == _UP
        and fields[9] != "lo"
    ]


def _lines(path: str) -> list[list[str]]:
    try:
        with open(path, encoding="ascii") as file:
            return [line.split() for line in file]
    except OSError:
        return []
