"""Containers of one test module on a box's daemon, removed with everything of theirs when it is over."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker.errors
from docker.types import Mount

from lab.images import Image

Container = Any
"""`docker.models.containers.Container`, of whose answers the published types know too little."""
HEALTHY_WITHIN_SECONDS = 40


@dataclass
class Daemon:
    """The box's daemon: containers of one test module, hardened as the components harden theirs."""

    client: Any
    network: str
    cleanup: ExitStack = field(default_factory=ExitStack)

    def volume(self) -> str:
        name = f"images-{secrets.token_hex(4)}"
        self.client.volumes.create(name)
        self.cleanup.callback(lambda: self.client.volumes.get(name).remove())
        return name

    def container(self, image: Image, files: Mapping[str, Path] | None = None, **options: Any) -> Container:
        """Created, not started. `files` maps a path inside to a file of ours, mounted read-only."""
        mounts = [Mount(inside, str(file), "bind", read_only=True) for inside, file in (files or {}).items()]
        container = self.client.containers.create(
            image.tag,
            name=f"images-{secrets.token_hex(4)}",
            network=self.network,
            read_only=True,
            init=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            mem_limit="256m",
            mounts=mounts,
            **options,
        )
        self.cleanup.callback(self.remove, container)
        return container

    def remove(self, container: Container) -> None:
        with suppress(docker.errors.NotFound):
            container.remove(force=True, v=True)

    def start_until_healthy(self, container: Container) -> Container:
        """Raises AssertionError with the container's log when it ends first, or takes longer than it may."""
        since = time.time()
        container.start()
        events = self.client.events(decode=True, since=since, filters={"container": container.id})
        limit = threading.Timer(HEALTHY_WITHIN_SECONDS, events.close)
        limit.start()
        try:
            for event in events:
                if event["Action"] == "health_status: healthy":
                    return container
                if event["Action"] == "die":
                    break
        finally:
            limit.cancel()
            events.close()
        raise AssertionError(f"not healthy: {container.logs().decode()}")
