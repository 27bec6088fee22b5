"""`docker check`: whether the host's Docker keeps the limits that every container of the product has.

Where the kernel does not let it, Docker drops a limit with a warning that nobody sees, and one container that grows
takes the whole machine with it. Asked before anything is changed.

Owns: one look. Deliberately does not: try a limit; Docker says itself what it found in the kernel when it started.
Source: the Engine API's reference, "Get system information" (`MemoryLimit`, `SwapLimit`, `CgroupVersion`).
"""

from __future__ import annotations

from typing import Any

from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.docker.engine import Engine


def check(document: Document) -> dict[str, Any]:
    """{"cgroups": "1" or "2"}; raises Refusal where memory, or memory with swap, cannot be limited."""
    found = Engine(document.text("docker_socket")).get("/info")
    if not found.get("MemoryLimit"):
        raise Refusal(
            "this host's Docker cannot limit a container's memory: boot with cgroup_enable=memory, or, where this "
            "machine is a container itself, have its provider give it the memory controller, then run again"
        )
    if not found.get("SwapLimit"):
        raise Refusal(
            "this host's Docker cannot keep a container out of swap, so its limit of memory would hold half: boot "
            "with swapaccount=1, then run again"
        )
    return {"cgroups": str(found.get("CgroupVersion", "1"))}
