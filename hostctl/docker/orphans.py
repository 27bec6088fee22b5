"""`orphans remove`: what Docker made for a run that was killed before the engine noted it.

Owns: containers with our label, and networks of our names, that the state does not know.
Deliberately does not: touch a container that holds a port, a network that has containers, a volume, or anything else.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from hostctl.core.documents import Document, rows, table
from hostctl.docker.engine import Engine

LABEL = "sentinel-cutover"


def remove(document: Document) -> dict[str, Any]:
    """Remove what is ours and not in "known" (ids); "networks" are our networks' names."""
    engine = Engine(document.text("docker_socket"))
    known, networks = set(document.texts("known")), set(document.texts("networks"))
    removed: list[str] = []
    kept: list[str] = []
    for short in engine.get("/containers/json?all=1"):
        if table(short.get("Labels")).get(LABEL) != "true" or short["Id"] in known:
            continue
        name = str(short["Names"][0]).lstrip("/")
        if any(port.get("PublicPort") for port in rows(short.get("Ports"))):
            kept.append(name)
            continue
        engine.delete(f"/containers/{short['Id']}?force=1")
        removed.append(name)
    for found in engine.get("/networks"):
        if found["Name"] not in networks or found["Id"] in known:
            continue
        if table(engine.get(f"/networks/{quote(found['Id'])}").get("Containers")):
            kept.append(found["Name"])
            continue
        engine.delete(f"/networks/{quote(found['Id'])}")
        removed.append(found["Name"])
    return {"removed": removed, "kept": kept}
