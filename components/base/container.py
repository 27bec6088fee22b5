"""Hardening, once, for every container of the product.

Owns: what all of them share. All capabilities dropped and added back by name, no new privileges, read-only root with
tmpfs by name, an explicit limit of memory without swap, `unless-stopped`, log rotation as in Docker's own
configuration on the host (10m x 3), a health check, published ports on loopback only.

Deliberately does not: know any service. What it is given it declares; what it is not given is off.

Traps of the published plugin that this module exists to hold (measured, `reference/provider-plugins.md`): without
`memory_swap` every later preview shows a change; a changed health check, tmpfs or init is reported as applied and is
not, so those replace; a duration that is not in Go's own spelling shows a change after the create.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_docker as docker

__all__ = ["REPLACE_ON_CHANGES", "ContainerSpec", "HealthCheck", "Port", "asked", "go_duration", "hardened_container"]

REPLACE_ON_CHANGES = ["healthcheck", "tmpfs", "init"]
"""Properties whose change the plugin reports as an update in place that never reaches the container."""

_LOG_DRIVER = "json-file"
_LOG_OPTIONS = {"max-size": "10m", "max-file": "3"}
_MEGABYTE = 1024 * 1024
_LOOPBACK = "127.0.0.1"
_DOCKERS_STOP_SECONDS = 10
"""What Docker itself gives a container to stop. Not declared, since that would make an older container anew."""


def go_duration(seconds: int) -> str:
    """Seconds as Go prints a duration, the only spelling that comes back unchanged: 60 is `1m0s`."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


@dataclass(frozen=True)
class HealthCheck:
    """What Docker runs inside the container, and how patient it is, in seconds."""

    command: Sequence[str]
    interval: int
    timeout: int
    retries: int
    start_period: int


@dataclass(frozen=True)
class Port:
    """A published port; only the loopback address 127.0.0.1 is accepted, by which everything here is reached."""

    address: str
    external: int
    internal: int

    def __post_init__(self) -> None:
        if self.address != _LOOPBACK:
            raise ValueError(f"a container publishes on {_LOOPBACK} only, not on {self.address}")

    def __str__(self) -> str:
        return f"{self.address}:{self.external}:{self.internal}"


@dataclass(frozen=True)
class ContainerSpec:
    """One container as its component means it. `files` maps a path inside to a file on the host, always read-only.

    `edge` is a second network, one that is not internal: the container publishes its ports as soon as it starts.
    """

    image: pulumi.Input[str]
    user: str
    memory_mb: int
    network: pulumi.Input[str]
    aliases: Sequence[str]
    health: HealthCheck
    edge: pulumi.Input[str] | None = None
    command: Sequence[pulumi.Input[str]] | None = None
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    files: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    volumes: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    tmpfs: Mapping[str, str] = field(default_factory=dict[str, str])
    ports: Sequence[Port] = ()
    capabilities: Sequence[str] = ()
    labels: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    name: str | None = None
    started: bool = True
    stop_seconds: int = _DOCKERS_STOP_SECONDS
    """Whoever stops it: the engine, `docker stop`, or dockerd itself at the host's shutdown."""
    start_seconds: int = 120


def hardened_container(resource_name: str, spec: ContainerSpec, opts: pulumi.ResourceOptions) -> docker.Container:
    """Declares `spec` with everything that all containers share.

    A started container is waited for until it is healthy. One that is not (`started=False`) keeps its declared ports in
    state and is somebody else's to start: see `components/sentinel/gateway.py`.
    """
    return docker.Container(
        resource_name,
        name=spec.name,
        image=spec.image,
        command=list(spec.command) if spec.command is not None else None,
        user=spec.user,
        envs=[f"{key}={value}" for key, value in sorted(spec.environment.items())],
        memory=spec.memory_mb,
        memory_swap=spec.memory_mb,
        restart="unless-stopped",
        read_only=True,
        init=True,
        capabilities=docker.ContainerCapabilitiesArgs(
            drops=["ALL"], adds=[f"CAP_{capability}" for capability in spec.capabilities] or None
        ),
        security_opts=["no-new-privileges:true"],
        tmpfs=dict(spec.tmpfs),
        mounts=[
            docker.ContainerMountArgs(type="bind", target=target, source=source, read_only=True)
            for target, source in sorted(spec.files.items())
        ],
        volumes=[
            docker.ContainerVolumeArgs(container_path=target, volume_name=volume)
            for target, volume in sorted(spec.volumes.items())
        ],
        ports=[
            docker.ContainerPortArgs(ip=port.address, external=port.external, internal=port.internal)
            for port in spec.ports
        ],
        networks_advanced=_networks(spec),
        labels=[docker.ContainerLabelArgs(label=key, value=value) for key, value in sorted(_labels(spec).items())],
        log_driver=_LOG_DRIVER,
        log_opts=dict(_LOG_OPTIONS),
        healthcheck=docker.ContainerHealthcheckArgs(
            tests=["CMD", *spec.health.command],
            interval=go_duration(spec.health.interval),
            timeout=go_duration(spec.health.timeout),
            retries=spec.health.retries,
            start_period=go_duration(spec.health.start_period),
        ),
        destroy_grace_seconds=spec.stop_seconds,
        stop_timeout=spec.stop_seconds if spec.stop_seconds != _DOCKERS_STOP_SECONDS else None,
        start=spec.started,
        must_run=spec.started,
        wait=spec.started or None,
        wait_timeout=spec.start_seconds if spec.started else None,
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(replace_on_changes=REPLACE_ON_CHANGES)),
    )


def asked(name: pulumi.Input[str], spec: ContainerSpec, networks: Sequence[pulumi.Input[str]]) -> dict[str, object]:
    """What `docker inspect` must show of the container once it serves; `hostctl/verification/expected.py` compares it, fact by fact.

    The plugin may report a change that never reached the container, so this says it apart from the plugin. `networks`
    are all that it is on then. What the image gives and the spec leaves open is not in it.
    """
    ports = sorted(map(str, spec.ports))
    return {
        "name": name,
        "image": spec.image,
        "running": True,
        "user": spec.user,
        "memory": spec.memory_mb * _MEGABYTE,
        "memory_and_swap": spec.memory_mb * _MEGABYTE,
        "read_only_root": True,
        "privileged": False,
        "capabilities_dropped": ["ALL"],
        "capabilities_added": sorted(spec.capabilities),
        "security": ["no-new-privileges:true"],
        "restart": "unless-stopped",
        "init": True,
        "log": {"driver": _LOG_DRIVER, **_LOG_OPTIONS},
        # Names alone: what is kept may be read by anybody on the host.
        "variables": sorted(spec.environment),
        "tmpfs": dict(spec.tmpfs),
        "health": {
            "command": list(spec.health.command),
            "interval": float(spec.health.interval),
            "timeout": float(spec.health.timeout),
            "start_period": float(spec.health.start_period),
            "retries": spec.health.retries,
        },
        "mounts": pulumi.Output.all(
            *(pulumi.Output.concat(target, " <- ", source, " (read only)") for target, source in spec.files.items()),
            *(pulumi.Output.concat(target, " <- ", name, " (read and write)") for target, name in spec.volumes.items()),
        ).apply(sorted),
        "declared_ports": ports,
        "published_ports": ports,
        "networks": pulumi.Output.all(*networks).apply(sorted),
    }


def _networks(spec: ContainerSpec) -> list[docker.ContainerNetworksAdvancedArgs]:
    edge = [] if spec.edge is None else [docker.ContainerNetworksAdvancedArgs(name=spec.edge)]
    return [*edge, docker.ContainerNetworksAdvancedArgs(name=spec.network, aliases=list(spec.aliases))]


def _labels(spec: ContainerSpec) -> dict[str, pulumi.Input[str]]:
    """Ports stand in a label too: a changed port alone makes no difference to the plugin where `ports` is ignored."""
    ports: dict[str, pulumi.Input[str]] = (
        {"sentinel-cutover.ports": ",".join(map(str, spec.ports))} if spec.ports else {}
    )
    return {"sentinel-cutover": "true", **ports, **spec.labels}
