"""Every TCP port of the lab's VPS, tried from outside: open, silent or refused.

An open port accepts, a closed one is refused at once, and a guarded one says nothing, since its packets are dropped.
Each connection is closed as soon as it stands; nothing is sent on it. Only addresses for documentation (RFC 5737,
RFC 3849) are tried, which no machine outside a lab has.

Usage: scan.py ADDRESS...; prints {"ADDRESS": {"open": [22], "silent": [9200], "refused": 65533}, ...}.
With `--ports PORT,PORT` in front: these only. With `--watch PORT,PORT` or `--watch every`: these, over and over until
stdin closes, and what was ever open or silent.
"""

from __future__ import annotations

import errno
import ipaddress
import json
import select
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TypedDict

PORTS = range(1, 65536)
EVERY = "every"
AT_ONCE = 512
SILENT_SECONDS = 1.5
"""Refusals come within a millisecond on the lab's cable; a busy machine gets a thousand times as long."""
WATCH_SILENT_SECONDS = 0.02
LIMIT_SECONDS = 120.0
ALLOWED = (ipaddress.ip_network("203.0.113.0/24"), ipaddress.ip_network("2001:db8::/32"))


class Answers(TypedDict):
    """Of one address: the ports that accept, those that say nothing, and how many refuse."""

    open: list[int]
    silent: list[int]
    refused: int


def scan(address: str, ports: Sequence[int] = PORTS, silent_seconds: float = SILENT_SECONDS) -> Answers:
    """The answer of each port of the address. Raises ValueError for an address that is not for documentation."""
    where = ipaddress.ip_address(address)
    if not any(where in network for network in ALLOWED if network.version == where.version):
        raise ValueError(f"{address} is not for documentation, so it is not scanned")
    family = socket.AF_INET if where.version == 4 else socket.AF_INET6
    ahead, end = iter(ports), time.monotonic() + LIMIT_SECONDS
    under_way: dict[int, tuple[socket.socket, int, float]] = {}
    open_: list[int] = []
    silent: list[int] = []
    refused = 0
    poll = select.epoll()
    more = True
    while more or under_way:
        if time.monotonic() > end:
            raise TimeoutError(f"the scan of {address} took longer than {LIMIT_SECONDS:.0f} s")
        while more and len(under_way) < AT_ONCE:
            port = next(ahead, None)
            if port is None:
                more = False
                break
            one = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            result = one.connect_ex((address, port))
            if result == errno.EINPROGRESS:
                under_way[one.fileno()] = (one, port, time.monotonic() + silent_seconds)
                poll.register(one, select.EPOLLOUT)
                continue
            refused += result == errno.ECONNREFUSED
            if result == 0:
                open_.append(port)
            one.close()
        for handle, _ in poll.poll(0.05):
            one, port, _ = under_way.pop(handle)
            result = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            refused += result == errno.ECONNREFUSED
            if result == 0:
                open_.append(port)
            elif result != errno.ECONNREFUSED:
                silent.append(port)
            poll.unregister(handle)
            one.close()
        now = time.monotonic()
        for handle in [handle for handle, found in under_way.items() if found[2] < now]:
            one, port, _ = under_way.pop(handle)
            silent.append(port)
            poll.unregister(handle)
            one.close()
    return {"open": sorted(open_), "silent": sorted(silent), "refused": refused}


def watch(addresses: Sequence[str], ports: Sequence[int]) -> Mapping[str, object]:
    """The ports that were ever open or silent until stdin closes; `rounds` counts the scans."""
    seen = {address: {"open": set[int](), "silent": set[int]()} for address in addresses}
    rounds = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        for address in addresses:
            found = scan(address, ports, WATCH_SILENT_SECONDS)
            seen[address]["open"].update(found["open"])
            seen[address]["silent"].update(found["silent"])
        rounds += 1
        if rounds == 1:
            print("watching", flush=True)
    return {address: {kind: sorted(ever) for kind, ever in found.items()} for address, found in seen.items()} | {
        "rounds": rounds
    }


if __name__ == "__main__":
    argv = sys.argv[1:]
    ports = argv[1] if argv[0].startswith("--") else EVERY
    named = PORTS if ports == EVERY else [int(port) for port in ports.split(",")]
    if argv[0] == "--watch":
        print(json.dumps(watch(argv[2:], named)))
    else:
        print(json.dumps({address: scan(address, named) for address in argv[0 if named is PORTS else 2 :]}))
