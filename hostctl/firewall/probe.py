"""`firewall probe`: from a container on Docker's default bridge, connect to the host's own public addresses.

Nothing is sent on a connection, and nothing leaves the host.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import Any

from hostctl.core.documents import parsed, rows, table
from hostctl.core.errors import Refusal
from hostctl.docker import one_shot
from hostctl.docker.engine import Engine
from hostctl.docker.one_shot import ALL_LINES, OneShot, any_image, host_programs
from hostctl.host import addresses

SHOWS = (
    "No guarded port answers on an address of this host that is not loopback, probed from a container on "
    "Docker's default bridge: the loopback bind holds."
)
DOES_NOT_SHOW = (
    "These packets come in by Docker's bridge and not by the public interface, so the firewall's rules do not meet "
    "them ('firewall show' reads the rules); nor does it show what a router or another host's firewall lets through, "
    "nor anything about an address that is 'untried': the bridge has no route to it."
)
OPEN = "What is listed in 'open' answers on an address that is not loopback."
NOTHING = "Nothing: the bridge has no route to any of this host's addresses."
CONNECT_SECONDS = 2.0
SECONDS = 60.0

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
    ports, tried = list(request.ports), list(request.addresses) or own_addresses()
    engine = Engine(request.docker_socket)
    pairs = json.dumps([[address, port] for address in tried for port in ports])
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
        "ok": not answering and len(untried) < len(tried),
        "addresses": [address for address in tried if address not in untried],
        "untried": untried,
        "ports": ports,
        "open": answering,
        "shows": OPEN if answering else SHOWS if len(untried) < len(tried) else NOTHING,
        "does_not_show": DOES_NOT_SHOW,
    }


def own_addresses() -> list[str]:
    """The host's addresses, without loopback, link-local and those of Docker's bridges."""
    bridges = ("docker", "br-", "veth")
    found = [address for address in addresses.every() if not address.interface.startswith(bridges)]
    return list(dict.fromkeys(a.text for a in found if not (a.ip.is_loopback or a.ip.is_link_local)))
