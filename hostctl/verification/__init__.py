"""`verification inspect`: what only the host can say: who has the port, its bindings, what runs as asked, the baseline.

Owns: putting the looks together. Deliberately does not: call a tool (`verify` does), or change anything.
"""

from __future__ import annotations

from typing import Any

from hostctl import baseline
from hostctl.core.documents import Document
from hostctl.docker import containers
from hostctl.docker.engine import Engine
from hostctl.host import loopback_only, port_holder
from hostctl.verification import expected


def inspect(document: Document) -> dict[str, Any]:
    """{"active", "holder", "bindings", "as_declared", "baseline"}; "active" is
    sentinel, contextforge, unknown owner or nobody.

    "baseline" is the one that was kept, None when there is none, or none is asked for by an empty "baseline_folder".
    """
    engine, port = Engine(document.text("docker_socket")), document.whole_number("port")
    ports = [port, document.whole_number("health_port")]
    folder = document.text("baseline_folder")
    holder = port_holder.find(containers.everything(engine), port, document.text("gateway", ""))
    return {
        "active": holder.kind,
        "holder": holder.name,
        "bindings": loopback_only.check(ports),
        "as_declared": expected.check(engine, document.text("folder")),
        "baseline": baseline.kept(folder) if folder else None,
    }
