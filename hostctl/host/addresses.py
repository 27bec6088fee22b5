"""The addresses of this host by interface, IPv4 and IPv6."""

from __future__ import annotations

import array
import fcntl
import ipaddress
import socket
import struct
from dataclasses import dataclass

_SIOCGIFCONF = 0x8912
_ROW = 40
"""Bytes of a struct ifreq on 64 bits (netdevice(7))."""


@dataclass(frozen=True)
class Address:
    """One address, such as Address("eth0", "fe80::1", 2); `scope` is the interface's index, 0 for IPv4."""

    interface: str
    text: str
    scope: int = 0

    @property
    def ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        return ipaddress.ip_address(self.text)


def every() -> list[Address]:
    """Every address, loopback too."""
    return [*_ipv4(), *_ipv6()]


def _ipv4() -> list[Address]:
    """By SIOCGIFCONF (netdevice(7))."""
    buffer = array.array("B", bytes(_ROW * 256))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        query = struct.pack("iL", len(buffer), buffer.buffer_info()[0])
        size = struct.unpack("iL", fcntl.ioctl(any_socket.fileno(), _SIOCGIFCONF, query))[0]
    content = buffer.tobytes()[:size]
    return [
        Address(
            content[at : at + 16].split(b"\0")[0].decode().split(":")[0], socket.inet_ntoa(content[at + 20 : at + 24])
        )
        for at in range(0, size, _ROW)
    ]


def _ipv6() -> list[Address]:
    """By /proc/net/if_inet6: address, index, length, scope, flags, name."""
    try:
        with open("/proc/net/if_inet6", encoding="ascii") as file:
            lines = [line.split() for line in file]
    except OSError:
        return []
    return [
        Address(fields[5], socket.inet_ntop(socket.AF_INET6, bytes.fromhex(fields[0])), int(fields[1], 16))
        for fields in lines
    ]
