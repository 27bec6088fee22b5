"""`rollback check`: whether what an update needs is still on the host, before anything is changed.

Owns: the refusals, one sentence each, that name what is gone.
Deliberately does not: change anything, or load an image.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from hostctl import retire
from hostctl.core.documents import Document, table
from hostctl.core.errors import Refusal
from hostctl.docker import containers
from hostctl.docker.engine import Engine


def check(document: Document) -> dict[str, Any]:
    """The images in "images", and the recorded "predecessor" where one is given; raises Refusal.

    "retired_folder" is the product's folder where the way leads to ContextForge, which may have been retired.
    """
    _refuse_retired(document.text("retired_folder", ""))
    engine = Engine(document.text("docker_socket"))
    images = document.texts("images")
    for image in images:
        if engine.find(f"/images/{quote(image)}/json") is None:
            raise Refusal(
                f"the image {image} is gone from the host: load it again ('docker pull {image}' or 'docker load')"
            )
    record = document.object("predecessor", {"kind": "absent"})
    recorded = [] if record.text("kind") == "absent" else record.objects("containers")
    for container in recorded:
        _refuse_without(engine, container)
    networks = containers.internal_networks(engine)
    for network in record.object("gateway").objects("networks") if recorded else []:
        if network.text("name") not in networks:
            raise Refusal(
                f"the predecessor's network {network.text('name')} is gone: create it "
                f"('docker network create {network.text('name')}')"
            )
    for volume in record.texts("volumes"):
        if engine.find(f"/volumes/{quote(volume)}") is None:
            raise Refusal(f"the predecessor's volume {volume} is gone: restore it")
    return {"images": images, "predecessor": [container.text("name") for container in recorded]}


def _refuse_retired(folder: str) -> None:
    noted = retire.note(folder) if folder else {}
    if noted.get("begun_at"):
        raise Refusal(
            f"ContextForge was retired at {noted.get('removed_at') or noted['begun_at']}, its last dump is kept as "
            f"{table(table(noted.get('kept')).get('dump')).get('path')}: choose another update, or set active to "
            "contextforge by hand to leave the port to nobody"
        )


def _refuse_without(engine: Engine, recorded: Document) -> None:
    name = recorded.text("name")
    # By name first: compose may have made it again under another id since.
    found = containers.find(engine, name, {}) or containers.find(engine, recorded.text("id"), {})
    if found is None:
        raise Refusal(
            f"the predecessor's container {name} is gone: bring it back ('docker compose up --no-start' in its folder)"
        )
    if engine.find(f"/images/{quote(found.image)}/json") is None:
        raise Refusal(f"the image of the predecessor's container {name} ({found.image[:19]}) is gone: load it again")
