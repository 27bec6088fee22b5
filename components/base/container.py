"""The containers of the product, described once and hardened alike.

Owns: the settings that all of them share. All capabilities dropped and added back by name, no new privileges, read-only
root with tmpfs by name, a memory limit without swap, `unless-stopped`, log rotation as in Docker's own configuration on
the host (10m x 3), a health check, published ports on loopback only.

Deliberately does not: know any service. A property that a component leaves out is off.

Traps of the published plugin that this module guards against (measured; `tests/engine/plugins`): without
`memory_swap` every later preview shows a change; a changed health check, tmpfs or init is reported as applied and is
not, so those replace; a duration that is not in Go's own spelling shows a change right after the create.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_docker as docker

REPLACE_ON_CHANGES = ["healthcheck", "tmpfs", "init"]
"""Properties whose change the plugin reports as an update in place that never reaches the container."""

_NO_NEW_PRIVILEGES = "no-new-privileges:true"
_RESTART = "unless-stopped"
_LOG_DRIVER = "json-file"
_LOG_OPTIONS = {"max-size": "10m", "max-file": "3"}
_MEGABYTE = 1024 * 1024
_LOOPBACK = "127.0.0.1"
_DOCKERS_STOP_SECONDS = 10
"""Docker's own stop timeout in seconds. Not declared: declaring it would replace containers that have the default."""


def go_duration(seconds: int) -> str:
    """Seconds as Go prints a duration, the only spelling that comes back unchanged: 60 is `1m0s`."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


@dataclass(frozen=True)
class HealthCheck:
    """A command that Docker runs inside the container; its times are in seconds."""

    command: Sequence[str]
    interval: int
    timeout: int
    retries: int
    start_period: int


@dataclass(frozen=True)
class Port:
    """A published port, on the loopback address 127.0.0.1 only."""

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
    """One container as its component describes it. `files` maps a path inside to a file on the host, read-only.

    `edge` is a second network that is not internal: a container on it publishes its ports as soon as it starts.
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
    """Applies to the engine, to `docker stop`, and to dockerd at the host's shutdown."""
    start_seconds: int = 120


def hardened_container(resource_name: str, spec: ContainerSpec, opts: pulumi.ResourceOptions) -> docker.Container:
    """The container of `spec` with the hardening that all containers share.

    A started container is waited for until it is healthy. One that is not (`started=False`) keeps its declared ports in
    state and is started by another resource: see `components/sentinel/gateway.py`.
    """
    return docker.Container(
        resource_name,
        name=spec.name,
        command=list(spec.command) if spec.command is not None else None,
        networks_advanced=_networks(spec),
        labels=[docker.ContainerLabelArgs(label=key, value=value) for key, value in sorted(_labels(spec).items())],
        destroy_grace_seconds=spec.stop_seconds,
        stop_timeout=spec.stop_seconds if spec.stop_seconds != _DOCKERS_STOP_SECONDS else None,
        start=spec.started,
        must_run=spec.started,
        wait=spec.started or None,
        wait_timeout=spec.start_seconds if spec.started else None,
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(replace_on_changes=REPLACE_ON_CHANGES)),
        **_merged(fact.declared for fact in _facts(spec)),
    )


def expected(name: pulumi.Input[str], spec: ContainerSpec, networks: Sequence[pulumi.Input[str]]) -> dict[str, object]:
    """The facts that `docker inspect` must show of the container while it serves (`hostctl/verification/expected.py`).

    The plugin may report a change that never reached the container, so the comparison does without the plugin.
    `networks` are all those that it is on while it serves. A setting that the spec leaves to the image is not compared.
    """
    facts = _merged(fact.expected for fact in _facts(spec))
    return {"name": name, "running": True, **facts, "networks": pulumi.Output.all(*networks).apply(sorted)}


@dataclass(frozen=True)
class _Fact:
    """One property of a container in two forms: the plugin's arguments, and the facts of `docker inspect`."""

    declared: Mapping[str, Any]
    expected: Mapping[str, object]


def _facts(spec: ContainerSpec) -> list[_Fact]:
    memory = spec.memory_mb * _MEGABYTE
    ports = sorted(map(str, spec.ports))
    return [
        _Fact({"image": spec.image}, {"image": spec.image}),
        _Fact({"user": spec.user}, {"user": spec.user}),
        _Fact({"memory": spec.memory_mb, "memory_swap": spec.memory_mb}, {"memory": memory, "memory_and_swap": memory}),
        _Fact({"read_only": True}, {"read_only_root": True}),
        _Fact({}, {"privileged": False}),
        _capabilities(spec),
        _Fact({"security_opts": [_NO_NEW_PRIVILEGES]}, {"security": [_NO_NEW_PRIVILEGES]}),
        _Fact({"restart": _RESTART}, {"restart": _RESTART}),
        _Fact({"init": True}, {"init": True}),
        _Fact(
            {"log_driver": _LOG_DRIVER, "log_opts": dict(_LOG_OPTIONS)},
            {"log": {"driver": _LOG_DRIVER, **_LOG_OPTIONS}},
        ),
        _Fact(
            {"envs": [f"{key}={value}" for key, value in sorted(spec.environment.items())]},
            # The names alone: anybody on the host may read the file that is kept for the comparison.
            {"variables": sorted(spec.environment)},
        ),
        _Fact({"tmpfs": dict(spec.tmpfs)}, {"tmpfs": dict(spec.tmpfs)}),
        _health(spec.health),
        _mounts(spec),
        _Fact(
            {
                "ports": [
                    docker.ContainerPortArgs(ip=port.address, external=port.external, internal=port.internal)
                    for port in spec.ports
                ]
            },
            {"declared_ports": ports, "published_ports": ports},
        ),
    ]


def _capabilities(spec: ContainerSpec) -> _Fact:
    added = [f"CAP_{capability}" for capability in spec.capabilities]
    return _Fact(
        {"capabilities": docker.ContainerCapabilitiesArgs(drops=["ALL"], adds=added or None)},
        {"capabilities_dropped": ["ALL"], "capabilities_added": sorted(spec.capabilities)},
    )


def _health(health: HealthCheck) -> _Fact:
    return _Fact(
        {
            "healthcheck": docker.ContainerHealthcheckArgs(
                tests=["CMD", *health.command],
                interval=go_duration(health.interval),
                timeout=go_duration(health.timeout),
                retries=health.retries,
                start_period=go_duration(health.start_period),
            )
        },
        {
            "health": {
                "command": list(health.command),
                "interval": float(health.interval),
                "timeout": float(health.timeout),
                "start_period": float(health.start_period),
                "retries": health.retries,
            }
        },
    )


def _mounts(spec: ContainerSpec) -> _Fact:
    files, volumes = sorted(spec.files.items()), sorted(spec.volumes.items())
    return _Fact(
        {
            "mounts": [
                docker.ContainerMountArgs(type="bind", target=target, source=source, read_only=True)
                for target, source in files
            ],
            "volumes": [
                docker.ContainerVolumeArgs(container_path=target, volume_name=volume) for target, volume in volumes
            ],
        },
        {
            "mounts": pulumi.Output.all(
                *(pulumi.Output.concat(target, " <- ", source, " (read only)") for target, source in files),
                *(pulumi.Output.concat(target, " <- ", volume, " (read and write)") for target, volume in volumes),
            ).apply(sorted)
        },
    )


def _merged(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {key: value for part in parts for key, value in part.items()}


def _networks(spec: ContainerSpec) -> list[docker.ContainerNetworksAdvancedArgs]:
    edge = [] if spec.edge is None else [docker.ContainerNetworksAdvancedArgs(name=spec.edge)]
    return [*edge, docker.ContainerNetworksAdvancedArgs(name=spec.network, aliases=list(spec.aliases))]


def _labels(spec: ContainerSpec) -> dict[str, pulumi.Input[str]]:
    """The labels, with one that repeats the ports: where `ports` is ignored the plugin sees no change of a port."""
    ports: dict[str, pulumi.Input[str]] = (
        {"sentinel-cutover.ports": ",".join(map(str, spec.ports))} if spec.ports else {}
    )
    return {"sentinel-cutover": "true", **ports, **spec.labels}
