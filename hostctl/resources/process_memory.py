"""Memory of bridge and gateways alone, from the host's /proc: Docker's statistics count their backends with them."""

from __future__ import annotations

import os

GATEWAY = b"sentinel-gateway"
_PROC = "/proc"
_STEPS_DOWN = 4
"""Docker's init, the image's own shell, the bridge's supervisor and the bridge are above the gateway."""


def of_bridge_and_gateway(first: int) -> dict[str, int]:
    """Resident bytes by "bridge" and "gateway", below the container's first process; empty where none can be seen.

    The bridge's gateway processes count together. An image without a bridge has one gateway alone.
    """
    above, here = {first: 0}, [first] if first else []
    for _ in range(_STEPS_DOWN + 1):
        gateways = [pid for pid in here if _runs_gateway(pid)]
        if gateways:
            bridge = above[gateways[0]]
            sizes = {"bridge": resident(bridge)} if bridge and bridge != first else {}
            return {name: size for name, size in {**sizes, "gateway": sum(map(resident, gateways))}.items() if size}
        above = {child: pid for pid in here for child in children(pid)}
        here = list(above)
    return {}


def children(pid: int) -> list[int]:
    """The pids of the processes that this one started, over all its threads."""
    pids: list[int] = []
    try:
        for thread in os.listdir(f"{_PROC}/{pid}/task"):
            with open(f"{_PROC}/{pid}/task/{thread}/children", encoding="ascii") as file:
                pids += [int(child) for child in file.read().split()]
    except OSError:
        return []
    return pids


def resident(pid: int) -> int:
    """The process's resident bytes, 0 where it is gone or this user may not see it."""
    try:
        with open(f"{_PROC}/{pid}/status", encoding="ascii", errors="replace") as file:
            sizes = [line.split()[1] for line in file if line.startswith("VmRSS:")]
    except OSError:
        return 0
    return int(sizes[0]) * 1024 if sizes else 0


def _runs_gateway(pid: int) -> bool:
    try:
        with open(f"{_PROC}/{pid}/cmdline", "rb") as file:
            argv = file.read().split(b"\0")
    except OSError:
        return False
    # A script has its interpreter in front.
    return any(os.path.basename(word) == GATEWAY for word in argv[:2])
