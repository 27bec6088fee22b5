"""`docker check`: the host's Docker must keep the limits that every container of the product has.

Where the kernel lacks support, Docker drops a limit with a warning that nobody sees, and one container that grows takes
the whole machine with it. Checked before anything is changed.

Deliberately does not: try a limit; Docker itself reports what it found in the kernel when it started.
Source: the Engine API's reference, "Get system information" (`MemoryLimit`, `SwapLimit`, `CgroupVersion`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hostctl.core.errors import Refusal
from hostctl.docker.engine import Engine


@dataclass(frozen=True)
class DockerCheckRequest:
    """The engine to check."""

    docker_socket: str = ""


def check(request: DockerCheckRequest) -> dict[str, Any]:
    """{"cgroups": "1" or "2"}; raises Refusal where memory, or memory with swap, cannot be limited."""
    info = Engine(request.docker_socket).get("/info")
    require(info)
    return {"cgroups": str(info.get("CgroupVersion", "1"))}


def require(info: Mapping[str, Any]) -> None:
    """Raise Refusal where Docker's information says that memory, or memory with swap, cannot be limited."""
    if not info.get("MemoryLimit"):
        raise Refusal(
            "this host's Docker cannot limit a container's memory: boot with cgroup_enable=memory, or, where this "
            "machine is a container itself, have its provider give it the memory controller, then run again"
        )
    if not info.get("SwapLimit"):
        raise Refusal(
            "this host's Docker cannot keep a container out of swap, so a memory limit would not hold: boot "
            "with swapaccount=1, then run again"
        )
