"""The outside of the VPS: a name server, and doubles of the APIs that the backends call.

        203.0.113.1:53   dnsmasq: the declared names and nothing else (lab/doubles/upstreams/hosts.py), in place of
                         this machine's own name server, since the VPS has its /etc/resolv.conf
        203.0.113.21…    one address for each upstream: lab/doubles/upstreams/server.py

Owns: the addresses of the upstreams, both processes, and taking one upstream away.
Deliberately does not: resolve, forward or route anything further; no other name exists.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from lab.box import network, processes
from lab.box.facts import Box, Process
from lab.box.place import REPOSITORY, Place
from lab.doubles.upstreams.hosts import NAMES, UPSTREAMS, Upstream

READY_WITHIN_SECONDS = 20.0
_POLL_SECONDS = 0.05
_DNS_PORT = 53
_LISTENS = "0A"
"""A listening socket's state in /proc/PID/net/tcp (proc(5))."""


def addresses(place: Place) -> list[list[str]]:
    """The `ip` commands that give each upstream its address."""
    return [
        ["ip", "-n", place.wan, "address", "add", f"{one.address}/{network.IPV4_LENGTH}", "dev", "eth0"]
        for one in NAMES
    ]


def name_server(place: Place) -> list[str]:
    """`--local=/#/`: every name that is not declared here does not exist, and no other server is queried."""
    return network.inside(
        place.wan,
        ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--log-facility=-", "--pid-file=", "--user=root",
         "--no-resolv", "--no-hosts", "--local=/#/", "--bind-interfaces", f"--listen-address={network.WAN.ipv4}",
         *(f"--host-record={one.host},{one.address}" for one in NAMES)],
    )  # fmt: skip


def every_name_server(place: Place) -> list[list[str]]:
    """The commands by which a query to any name server comes to ours: else each name costs the host ten seconds."""
    there = ["--dport", str(_DNS_PORT), "-j", "DNAT", "--to-destination", network.WAN.ipv4]
    rule = ["iptables", "-w", "-t", "nat", "-A", "PREROUTING"]
    return [network.inside(place.wan, [*rule, "-p", protocol, *there]) for protocol in ("udp", "tcp")]


def start(place: Place) -> tuple[Process, ...]:
    """Start both and wait until they listen. Raises OSError when one ends first, or after 20 s."""
    for command in (*addresses(place), *every_name_server(place)):
        subprocess.run(command, check=True, capture_output=True, text=True)
    doubles = network.inside(place.wan, [sys.executable, "-m", "lab.doubles.upstreams.server"])
    started = (
        processes.start(place, "dnsmasq", name_server(place), place.logs / "dnsmasq.log"),
        processes.start(place, "upstreams", doubles, place.logs / "upstreams.log", {"PYTHONPATH": str(REPOSITORY)}),
    )
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    expected = {one.port for one in UPSTREAMS} | {_DNS_PORT}
    while missing := expected - _listening(place, started[0]):
        for process in started:
            if not processes.alive(process):
                raise OSError(f"{process.name} ended, see {place.logs / process.name}.log")
        if time.monotonic() > deadline:
            raise OSError(f"nobody listens on the outside's ports {sorted(missing)}, see {place.logs}")
        time.sleep(_POLL_SECONDS)
    return started


@contextmanager
def without(box: Box, upstream: Upstream) -> Generator[None]:
    """While inside, the upstream's name resolves and every connection to it is refused, those that stand too."""
    rule = ["INPUT", "-d", upstream.address, "-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset"]
    subprocess.run(network.inside(box.wan, ["iptables", "-w", "-I", *rule]), check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(network.inside(box.wan, ["iptables", "-w", "-D", *rule]), check=True, capture_output=True)


def _listening(place: Place, process: Process) -> set[int]:
    """The TCP ports on which somebody listens on the outside; none before the process has arrived there."""
    own = Path(f"/proc/{process.pid}")
    try:
        if (own / "ns" / "net").stat().st_ino != network.namespace(place.wan).stat().st_ino:
            return set()
        rows = [line.split() for line in (own / "net" / "tcp").read_text().splitlines()[1:]]
    except (FileNotFoundError, ProcessLookupError):
        return set()
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == _LISTENS}
