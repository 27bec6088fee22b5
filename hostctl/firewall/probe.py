"""`firewall probe`: from a container on Docker's default bridge, connect to the host's own public addresses.

Owns: the list of those addresses, the one-shot container, what its answer proves and what it does not.
Deliberately does not: send anything on a connection, or leave the host.
"""

from __future__ import annotations

import array
import fcntl
import ipaddress
import json
import os
import socket
import struct
import sys
from dataclasses import dataclass
from typing import Any

from hostctl.core.documents import parsed, rows, table
from hostctl.core.errors import Refusal
from hostctl.docker import one_shot
from hostctl.docker.engine import Engine
from hostctl.docker.one_shot import ALL_LINES, OneShot, any_image, host_programs

SHOWS = (
    "No guarded port answers on an address of this host that is not loopback, probed from a container on "
    "Docker's default bridge: the loopback bind holds."
)
DOES_NOT_SHOW = (
    "These packets come in by Docker's bridge and not by the public interface, so the firewall's rules do not meet "
    "them ('firewall show' reads the rules); nor does it show what a router or another host's firewall lets through, "
    "nor anything about an address that is 'untried': the bridge has no route to it."
)
NOTHING = "Nothing: the bridge has no route to any of this host's addresses."
CONNECT_SECONDS = 2.0
SECONDS = 60.0
_SIOCGIFCONF = 0x8912
_ROW = 40
"""Bytes of a struct ifreq on 64 bits (netdevice(7))."""

_CONNECT = """
import errno, json, socket, sys
open_, untried = [], []
for address, port in json.loads(sys.argv[1]):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as one:
        one.settimeout(float(sys.argv[2]))
        result = one.connect_ex((address, port))
    if result == 0:
        open_.append([address, port])
    elif result in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL):
        untried.append(address)
print(json.dumps({"open": open_, "untried": untried}))
"""


@dataclass(frozen=True)
class ProbeRequest:
    """The ports to try on the addresses, by default the host's own; the container's image as `any_image` chooses it."""

    ports: tuple[int, ...]
    addresses: tuple[str, ...] = ()
    image: str = ""
    image_of: str = ""
    docker_socket: str = ""

    def __post_init__(self) -> None:
        if not self.ports:
            raise Refusal("'ports' in the document on stdin must be a list of whole numbers, at least one")


def probe(request: ProbeRequest) -> dict[str, Any]:
    """The `ports` that answer on the host's addresses; `ok` when none does.

    `untried` are addresses to which the bridge has no route: nothing is known of them.
    """
    ports, addresses = list(request.ports), list(request.addresses) or own_addresses()
    engine = Engine(request.docker_socket)
    pairs = json.dumps([[address, port] for address in addresses for port in ports])
    python = os.path.realpath(sys.executable)
    container = OneShot(
        any_image(engine, request.image, request.image_of),
        (python, "-I", "-S", "-c", _CONNECT, pairs, str(CONNECT_SECONDS)),
        network="bridge",
        files=host_programs(),
    )
    code, output = one_shot.run(engine, container, SECONDS, ALL_LINES)
    answer = table(parsed(output.splitlines()[-1] if output else ""))
    if code or "open" not in answer:
        raise Refusal("the one-shot container gave no answer: run 'hostctl firewall probe' again")
    # Docker's default bridge has no IPv6 unless it is configured.
    untried = list(dict.fromkeys(str(address) for address in rows(answer.get("untried"))))
    answering = [{"address": address, "port": port} for address, port in rows(answer["open"])]
    return {
        "ok": not answering and len(untried) < len(addresses),
        "addresses": [address for address in addresses if address not in untried],
        "untried": untried,
        "ports": ports,
        "open": answering,
        "shows": _shows(bool(answering), len(untried) < len(addresses)),
        "does_not_show": DOES_NOT_SHOW,
    }


def _shows(opened: bool, tried: bool) -> str:
    if opened:
        return "What is listed in 'open' answers on an address that is not loopback."
    return SHOWS if tried else NOTHING


def own_addresses() -> list[str]:
    """The host's addresses, without loopback, link-local and those of Docker's bridges."""
    bridges = ("docker", "br-", "veth")
    addresses = [address for name, address in [*_ipv4(), *_ipv6()] if not name.startswith(bridges)]
    usable = [address for address in addresses if not _is_local(ipaddress.ip_address(address))]
    return list(dict.fromkeys(usable))


def _is_local(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_loopback or address.is_link_local


def _ipv4() -> list[tuple[str, str]]:
    """(interface, address) by SIOCGIFCONF (netdevice(7))."""
    buffer = array.array("B", bytes(_ROW * 256))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        query = struct.pack("iL", len(buffer), buffer.buffer_info()[0])
        size = struct.unpack("iL", fcntl.ioctl(any_socket.fileno(), _SIOCGIFCONF, query))[0]
    content = buffer.tobytes()[:size]
    return [
        (content[at : at + 16].split(b"\0")[0].decode().split(":")[0], socket.inet_ntoa(content[at + 20 : at + 24]))
        for at in range(0, size, _ROW)
    ]


def _ipv6() -> list[tuple[str, str]]:
    """(interface, address) of /proc/net/if_inet6: address, index, length, scope, flags, name."""
    try:
        with open("/proc/net/if_inet6", encoding="ascii") as file:
            lines = [line.split() for line in file]
    except OSError:
        return []
    return [(fields[5], socket.inet_ntop(socket.AF_INET6, bytes.fromhex(fields[0]))) for fields in lines]
