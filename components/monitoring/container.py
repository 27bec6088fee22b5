"""The container of Prometheus and of Grafana, as far as the two are alike.

Owns: the networks they join (the edge for their loopback port, the internal one to reach Sentinel), the one volume, the
label by which changed files make a new container, and the time they get to write at a stop.
Deliberately does not: know a configuration or a health check; each component brings its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from components.base.container import ContainerSpec, HealthCheck, Port
from components.networks import Networks
from settings.operations_sections import Grafana, Prometheus

__all__ = ["Watcher"]

STOP_SECONDS = 30


@dataclass(frozen=True)
class Watcher:
    """One of the two. `uid` is the image's user and group; `port` and `data`, the volume's path, are those inside."""

    name: str
    alias: str
    uid: int
    port: int
    data: str
    health: HealthCheck
    command: Sequence[str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    tmpfs: Mapping[str, str] = field(default_factory=dict[str, str])

    def spec(
        self,
        settings: Prometheus | Grafana,
        networks: Networks,
        *,
        image: pulumi.Input[str],
        volume: pulumi.Input[str],
        files: Mapping[str, pulumi.Input[str]],
        files_hash: pulumi.Input[str],
    ) -> ContainerSpec:
        """As its component declares it, published on the settings' loopback port."""
        return ContainerSpec(
            image=image,
            name=self.name,
            user=f"{self.uid}:{self.uid}",
            memory_mb=settings.memory_mb,
            network=networks.internal,
            aliases=[self.alias],
            edge=networks.edge,
            command=self.command,
            environment=self.environment,
            files=files,
            volumes={self.data: volume},
            tmpfs=self.tmpfs,
            ports=[Port("127.0.0.1", settings.port, self.port)],
            health=self.health,
            labels={"sentinel-cutover.files": files_hash},
            stop_seconds=STOP_SECONDS,
        )
