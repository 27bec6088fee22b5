"""Postgres for Sentinel's audit log, on the internal network only.

Owns: the container, its password file, and its volume.

Deliberately does not: publish a port, reach the outside, put the password into the environment, or ever delete the
volume. `pulumi destroy` forgets the volume and keeps it on the host; the next `up` uses it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from components.base.container import ContainerSpec, HealthCheck, expected, hardened_container
from components.base.files import HostFile, HostFiles, HostFilesArgs
from components.base.image import image_on_host
from components.base.request import request
from components.host import Host, Operation
from components.networks import Networks
from hostctl.postgres import PasswordRequest
from settings import Settings, secret_output
from settings.limits import DATABASE_START_SECONDS
from settings.names import DATABASE, DATABASE_OWNER

__all__ = ["NAME", "Postgres", "PostgresArgs"]

NAME = "sentinel-postgres"
"""The component's and the container's name."""

ALIAS = "postgres"
_VOLUME = "sentinel-postgres"
_DATA = "/var/lib/postgresql/data"
_PASSWORD = "/run/secrets/postgres_password"


@dataclass(frozen=True, kw_only=True)
class PostgresArgs:
    """The host, and the networks of the container."""

    settings: Settings
    host: Host
    networks: Networks


class Postgres(pulumi.ComponentResource):
    """One Postgres, healthy before anything depends on it. `url`, with which Sentinel connects, is a secret.

    `expected` are the facts that its container must show.
    """

    url: pulumi.Output[str]
    expected: Mapping[str, object]

    def __init__(self, name: str, args: PostgresArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:Postgres", name, None, opts)
        settings, host, networks = args.settings.postgres, args.host, args.networks
        password = secret_output(args.settings.postgres_password)
        image = image_on_host(f"{name}-image", settings.image, "postgres.image", host=host, parent=self)
        volume = docker.Volume(f"{name}-data", name=_VOLUME, opts=host.docker_options(self, retain_on_delete=True))
        files = HostFiles(
            f"{name}-files",
            HostFilesArgs(
                files={"postgres_password": HostFile(password)},
                owner=settings.uid,
                host=host,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        spec = ContainerSpec(
            image=image.image_id,
            name=name,
            user=f"{settings.uid}:{settings.uid}",
            memory_mb=settings.memory_mb,
            network=networks.internal,
            aliases=[ALIAS],
            environment={
                "PGDATA": _DATA,
                "POSTGRES_DB": DATABASE,
                "POSTGRES_INITDB_ARGS": "--auth-host=scram-sha-256 --encoding=UTF8",
                "POSTGRES_PASSWORD_FILE": _PASSWORD,
                "POSTGRES_USER": DATABASE_OWNER,
            },
            files={_PASSWORD: files.path("postgres_password")},
            volumes={_DATA: volume.name},
            tmpfs={"/run/postgresql": f"uid={settings.uid},gid={settings.uid},mode=0775", "/tmp": "mode=1777"},
            health=HealthCheck(
                # Over TCP: while it initialises the data folder the server listens on its socket only.
                command=["pg_isready", "-h", "127.0.0.1", "-U", DATABASE_OWNER, "-d", DATABASE],
                interval=2,
                timeout=3,
                retries=15,
                start_period=30,
            ),
            labels={"sentinel-cutover.files": files.hash},
            start_seconds=DATABASE_START_SECONDS,
            stop_seconds=30,
        )
        self.container = hardened_container(
            f"{name}-container", spec, host.docker_options(self, delete_before_replace=True)
        )
        self.expected = expected(self.container.name, spec, [networks.internal])
        host.action(
            f"{name}-password",
            # No delete: the role stays or goes with the volume.
            Operation("postgres", create="password"),
            request(
                PasswordRequest,
                container=self.container.name,
                role=DATABASE_OWNER,
                database=DATABASE,
                password_file=_PASSWORD,
            ),
            parent=self,
            depends_on=[self.container],
            triggers=[files.hash],
        )
        self.url = pulumi.Output.secret(
            password.apply(lambda secret: f"postgres://{DATABASE_OWNER}:{secret}@{ALIAS}:5432/{DATABASE}")
        )
        self.register_outputs({"container": self.container.name, "volume": volume.name})
