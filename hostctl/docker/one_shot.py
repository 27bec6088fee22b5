"""Containers that live for one question, and are gone whatever happens.

Owns: making them without capabilities, network or a writable root, waiting for their end, removing them and what a
killed run left of them. Deliberately does not: know what runs in them.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from hostctl.docker.engine import Engine

LABEL = "sentinel-cutover.one-shot"
MEGABYTE = 1024 * 1024


@contextmanager
def started(engine: Engine, image: str, body: dict[str, Any], host: dict[str, Any]) -> Generator[str]:
    """Its id, while the block lasts; volumes without a name go with it."""
    made: str = engine.post(
        "/containers/create",
        {
            "Image": image,
            "Labels": {LABEL: "true"},
            **body,
            "HostConfig": {
                "NetworkMode": "none",
                "ReadonlyRootfs": True,
                "CapDrop": ["ALL"],
                "SecurityOpt": ["no-new-privileges:true"],
                **host,
            },
        },
    )["Id"]
    try:
        engine.post(f"/containers/{made}/start")
        yield made
    finally:
        engine.delete(f"/containers/{made}?force=1&v=1")


def ran(
    engine: Engine, image: str, words: Sequence[str], file: str, seconds: float, network: str = "none"
) -> tuple[int, str]:
    """Run a command that may read `file` under the same path, as the file's owner: exit code and last lines."""
    owner = os.stat(file)
    body = {"Entrypoint": list(words[:1]), "Cmd": list(words[1:]), "User": f"{owner.st_uid}:{owner.st_gid}"}
    host: dict[str, Any] = {
        "NetworkMode": network,
        "Memory": 256 * MEGABYTE,
        "MemorySwap": 256 * MEGABYTE,
        "Mounts": [{"Type": "bind", "Source": file, "Target": file, "ReadOnly": True}],
    }
    with started(engine, image, body, host) as made:
        ended = engine.post(f"/containers/{made}/wait", seconds=seconds)
        return int(ended["StatusCode"]), engine.log_tail(quote(made), 20).strip()


def clear(engine: Engine) -> None:
    """Remove what a killed run left."""
    asked = quote('{"label":["' + LABEL + '"]}')
    for row in engine.get(f"/containers/json?all=1&filters={asked}"):
        engine.delete(f"/containers/{row['Id']}?force=1&v=1")
