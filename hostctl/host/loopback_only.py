"""Check that nothing but loopback listens on the given ports: by the host's own sockets, and by connecting.

For IPv4 and IPv6. Deliberately does not: judge who listens, or change a firewall.
Source: proc(5) (`/proc/net/tcp`, `/proc/net/tcp6`).
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hostctl.host import addresses
from hostctl.host.listeners import port_of, sockets

CONNECT_SECONDS = 0.5


def check(ports: Sequence[int]) -> dict[str, Any]:
    """{"ok", "listening": addresses off loopback, "reachable": addresses that let a connection in, "tried"}."""
    listening = [f"{address} port {port}" for address, port in listeners(ports) if not _is_loopback(address)]
    tried = [(address, scope, port) for address, scope in other_addresses() for port in ports]
    with ThreadPoolExecutor(max_workers=16) as pool:
        opened = list(pool.map(_connects, tried))
    reachable = [f"{address} port {port}" for (address, _, port), open_ in zip(tried, opened) if open_]
    return {
        "ok": not listening and not reachable,
        "listening": sorted(set(listening)),
        "reachable": reachable,
        "tried": len(tried),
    }


def listeners(ports: Sequence[int]) -> list[tuple[str, int]]:
    """Address and port of each TCP socket that listens on one of these ports."""
    rows = sockets(ports)
    return [(address_of(row[1].rsplit(":", 1)[0]), port_of(row)) for row in rows]


def address_of(text: str) -> str:
    """The address in the kernel's notation, 4-byte words in the machine's own order: "0100007F" is 127.0.0.1."""
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    return str(ipaddress.ip_address(struct.pack(f"={len(words)}I", *words)))


def other_addresses() -> list[tuple[str, int]]:
    """This host's addresses off loopback, each with the scope that a link-local one needs."""
    found = [(address.text, address.scope if address.ip.is_link_local else 0) for address in addresses.every()]
    return [(address, scope) for address, scope in found if not _is_loopback(address)]


def _connects(where: tuple[str, int, int]) -> bool:
    address, scope, port = where
    six = ":" in address
    with socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM) as attempt:
        attempt.settimeout(CONNECT_SECONDS)
        try:
            attempt.connect((address, port, 0, scope) if six else (address, port))
        except OSError:
            return False
    return True


def _is_loopback(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback
