"""Sentinel in standby: the container that will serve, complete and running beside the gateway that holds the port.

Owns: its image reference, its files, its container, the token of the handover's probe, and its start. The sidecar
backends join the internal network first: the gateway's start waits for their tools.

Deliberately does not: publish anything. Docker publishes a container's ports when it joins its first network that is
not internal, and that is the handover. A new image or configuration makes a new container beside the serving one
(`delete_before_replace=False`, set explicitly since the plugin's own default would take the old one away first), so
its name is left to auto-naming; the alias stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from components.base.container import ContainerSpec, HealthCheck, Port, expected, hardened_container
from components.base.files import HostFile, HostFiles, HostFilesArgs
from components.base.handover_members import token_file
from components.base.image import Base, image_built_on_host, image_on_host
from components.host import Action, Operation, StackArgs
from components.networks import Networks
from components.postgres import Postgres
from components.sentinel.bridge_image import BRIDGE_LAYERS
from components.sentinel.configuration import (
    ALIAS,
    AUDIENCE,
    CONFIGURATION,
    HANDOVER_SUBJECT,
    ISSUER,
    PREDECESSOR,
    ROLE,
    SECRETS,
    longest_call_seconds,
    processes,
)
from components.sentinel.live_settings import LiveSettings, LiveSettingsArgs, configuration_files
from components.sentinel.stdio_servers import stdio_servers
from settings import Settings, secret_output
from settings.gateway_sections import GATEWAY_MEMORY_MB
from settings.limits import HEALTH_RETRIES, RENEW_SHARE, STOP_MARGIN_SECONDS
from settings.names import LOOPBACK, SENTINEL_USER

TOKENS = "tokens"
"""Folder below the product's own: the request of each token on the host, by which the nightly job renews it."""


@dataclass(frozen=True, kw_only=True)
class SentinelArgs(StackArgs):
    """Sentinel's host, networks and database, and the bridge's folder of what it knows of the predecessor; with
    `standby` false its container is declared and not running."""

    networks: Networks
    postgres: Postgres
    predecessor_folder: pulumi.Output[str] | None
    standby: bool


class Sentinel(pulumi.ComponentResource):
    """The gateway that will serve. `container_id` is known, and the container healthy, once this component is done.

    `expected` are the facts that the container must show once it serves; `files_hash` names its configuration and its
    secrets.
    """

    container_id: pulumi.Output[str]
    container_name: pulumi.Output[str]
    token_file: str
    secret_file: pulumi.Output[str]
    health_token_file: pulumi.Output[str] | None
    files_hash: pulumi.Output[str]
    expected: Mapping[str, object]

    def __init__(self, name: str, args: SentinelArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:Sentinel", name, None, opts)
        self._name, self._args = name, args
        self.token_file = token_file(args.host.folder)
        variables = self._variables()
        configuration = self._configuration(list(variables))
        files = self._files(variables)
        self.files_hash = pulumi.Output.concat(configuration.hash, "-", files.hash)
        self.secret_file = files.path("JWT_SECRET_KEY")
        self.health_token_file = files.path("HEALTH_TOKEN") if args.settings.health_token else None
        container = self._container(configuration, files, list(variables))
        token = self._token(files)
        if args.standby:
            standby = self._standby(container, self._sidecars())
            LiveSettings(
                f"{name}-live",
                LiveSettingsArgs(
                    settings=args.settings,
                    host=args.host,
                    container=container,
                    files=configuration,
                    token_file=self.token_file,
                ),
                after=[standby.resource, token.resource],
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.container_id = container.id
        self.container_name = container.name
        self.register_outputs({"container": container.name})

    def _configuration(self, variables: Sequence[str]) -> HostFiles:
        return configuration_files(
            f"{self._name}-configuration",
            self._args.settings,
            variables,
            self._args.host,
            pulumi.ResourceOptions(parent=self),
        )

    def _files(self, variables: Mapping[str, pulumi.Output[str]]) -> HostFiles:
        return HostFiles(
            f"{self._name}-files",
            HostFilesArgs(
                files={name: HostFile(value) for name, value in variables.items()} | self._servers_files(),
                owner=SENTINEL_USER,
                host=self._args.host,
            ),
            pulumi.ResourceOptions(parent=self),
        )

    def _variables(self) -> dict[str, pulumi.Output[str]]:
        """The gateway's secret environment, each variable a file; the bridge passes them to its child only.

        Without a bridge the backends' secrets are among them: their servers inherit the gateway's environment.
        """
        settings = self._args.settings
        variables = {"JWT_SECRET_KEY": secret_output(settings.jwt_secret), "DATABASE_URL": self._args.postgres.url}
        if settings.health_token is not None:
            variables["HEALTH_TOKEN"] = secret_output(settings.health_token)
        for backend in settings.backends if settings.sentinel.serve == "native" else ():
            for variable, key in backend.environment_secrets.items():
                value = settings.secret(key)
                if value is not None:
                    variables[variable] = secret_output(value)
        return variables

    def _servers_files(self) -> dict[str, HostFile]:
        """The secrets of each stdio backend's server, each a file that its own user alone may read."""
        return {
            server.file(variable): HostFile(secret_output(secret), owner=server.user)
            for server in stdio_servers(self._args.settings)
            for variable, key in server.secrets.items()
            if (secret := self._args.settings.secret(key)) is not None
        }

    def _container(self, configuration: HostFiles, files: HostFiles, variables: Sequence[str]) -> docker.Container:
        settings, host, backends = self._args.settings.sentinel, self._args.host, self._args.settings.backends
        image = self._image()
        mounted = {CONFIGURATION: configuration.folder}
        mounted |= {f"{SECRETS}/{name}": files.path(name) for name in (*variables, *self._servers_files())}
        bridge = settings.serve == "bridge"
        if self._args.predecessor_folder is not None:
            mounted[PREDECESSOR] = self._args.predecessor_folder
        spec = ContainerSpec(
            image=image,
            command=["--config", f"{CONFIGURATION}/bridge.json"] if bridge else None,
            # Root in the bridge's group starts the bridge and each server as a user of its own (bridge/supervisor.py).
            user=f"0:{SENTINEL_USER}" if bridge else f"{SENTINEL_USER}:{SENTINEL_USER}",
            capabilities=["KILL", "SETGID", "SETUID"] if bridge else [],
            memory_mb=settings.memory_mb + GATEWAY_MEMORY_MB * (len(processes(settings, backends)) - 1),
            network=self._args.networks.internal,
            aliases=[ALIAS],
            environment={"HOME": "/tmp"},
            files=mounted,
            tmpfs={"/tmp": "mode=1777"},
            ports=[
                Port(LOOPBACK, settings.port, settings.port),
                Port(LOOPBACK, settings.health_port, settings.health_port),
            ],
            health=HealthCheck(
                command=["curl", "-fsS", "-m", "3", f"http://127.0.0.1:{settings.health_port}/health"],
                interval=settings.health_interval_seconds,
                timeout=min(5, settings.health_interval_seconds),
                retries=HEALTH_RETRIES,
                start_period=settings.start_seconds,
            ),
            labels={
                "sentinel-cutover.role": "gateway",
                "sentinel-cutover.configuration": configuration.hash,
                "sentinel-cutover.files": files.hash,
            },
            started=False,
            stop_seconds=longest_call_seconds(backends) + STOP_MARGIN_SECONDS,
        )
        container = hardened_container(
            f"{self._name}-gateway",
            spec,
            host.docker_options(self, delete_before_replace=False, ignore_changes=["ports"]),
        )
        networks = self._args.networks
        also = self._args.settings.networks.also
        self.expected = expected(container.name, spec, [networks.internal, networks.edge, *also])
        return container

    def _image(self) -> pulumi.Output[str]:
        """The id of the image that the container runs: the operator's own, or one that is built on it on the host."""
        settings, host, name = self._args.settings.sentinel, self._args.host, f"{self._name}-image"
        own = image_on_host(name, settings.image, "sentinel.image", host=host, parent=self, context=settings.context)
        image = own.image_id
        if settings.serve == "native":
            return image
        for layer in BRIDGE_LAYERS[settings.layers]:
            base = Base(image, settings.image, "sentinel.image")
            image = image_built_on_host(f"{name}-{layer.name}", layer, base, host=host, parent=self)
        return image

    def _sidecars(self) -> Sequence[pulumi.Resource]:
        """Join the backends that are containers of their own to the internal network, under their names."""
        sidecars = [backend for backend in self._args.settings.backends if backend.container]
        if not sidecars:
            return ()
        networks = self._args.networks
        members = [{"container": backend.container, "aliases": list(backend.aliases)} for backend in sidecars]
        joined = self._membership("sidecars", networks.internal, networks.internal_id, members)
        if not self._args.settings.networks.sidecars_out:
            return (joined,)
        out = [{**member, "aliases": []} for member in members]
        return (joined, self._membership("sidecars-out", networks.edge, networks.edge_id, out))

    def _membership(
        self,
        suffix: str,
        network: pulumi.Input[str],
        network_id: pulumi.Input[str],
        members: Sequence[Mapping[str, object]],
    ) -> pulumi.Resource:
        return self._args.host.action(
            f"{self._name}-{suffix}",
            Operation("networks", create="join", delete="leave"),
            {"network": network, "network_id": network_id, "members": [dict(member) for member in members]},
            parent=self,
        ).resource

    def _token(self, files: HostFiles) -> Action:
        """The token of the handover's probe, made and renewed on the host, so that it never enters the state."""
        return self._args.host.action(
            f"{self._name}-token",
            Operation("token", create="write", delete="remove"),
            token_members(
                self._args.settings,
                name="handover",
                path=self.token_file,
                subject=HANDOVER_SUBJECT,
                secret_file=files.path("JWT_SECRET_KEY"),
            ),
            parent=self,
        )

    def _standby(self, container: docker.Container, before: Sequence[pulumi.Resource]) -> Action:
        return self._args.host.action(
            f"{self._name}-standby",
            Operation("sentinel", create="start", delete="stop"),
            {"container": container.id, "limit_seconds": self._args.settings.sentinel.start_seconds},
            parent=self,
            depends_on=[container, *before],
            triggers=[container.id],
        )


def token_members(
    settings: Settings, *, name: str, path: str, subject: str, secret_file: pulumi.Input[str]
) -> dict[str, pulumi.Input[object]]:
    """The members of a token's request; `name` is that of the kept request, by which the token is renewed."""
    return {
        "path": path,
        "request_file": f"{settings.host.folder}/{TOKENS}/{name}.json",
        "secret_file": secret_file,
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "subject": subject,
        "role": ROLE,
        "days": settings.client.token_days,
        "renew_share": RENEW_SHARE,
    }
