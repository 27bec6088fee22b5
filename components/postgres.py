"""Postgres for Sentinel's audit log, on the internal network only.

Owns: the container, its password file, its volume, and the gateway's role, which is no superuser.

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
from components.host import Operation, StackArgs
from components.networks import Networks
from settings import secret_output
from settings.limits import DATABASE_START_SECONDS
from settings.names import DATABASE, DATABASE_ADMIN, DATABASE_OWNER, DATABASE_VOLUME, POSTGRES_USER

NAME = "sentinel-postgres"
"""The component's and the container's name."""

ALIAS = "postgres"
_DATA = "/var/lib/postgresql/data"
_PASSWORD = "/run/secrets/postgres_password"


@dataclass(frozen=True, kw_only=True)
class PostgresArgs(StackArgs):
    """The host, and the networks of the container."""

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
        volume = docker.Volume(
            f"{name}-data", name=DATABASE_VOLUME, opts=host.docker_options(self, retain_on_delete=True)
        )
        files = HostFiles(
            f"{name}-files",
            HostFilesArgs(
                files={"postgres_password": HostFile(password)},
                owner=POSTGRES_USER,
                host=host,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        spec = ContainerSpec(
            image=image.image_id,
            name=name,
            user=f"{POSTGRES_USER}:{POSTGRES_USER}",
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
            tmpfs={"/run/postgresql": f"uid={POSTGRES_USER},gid={POSTGRES_USER},mode=0775", "/tmp": "mode=1777"},
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
        version = host.action(
            f"{name}-version",
            Operation("postgres", create="check"),
            {"image": image.image_id, "volume": volume.name},
            parent=self,
        )
        self.container = hardened_container(
            f"{name}-container",
            spec,
            host.docker_options(self, delete_before_replace=True, depends_on=[version.resource]),
        )
        self.expected = expected(self.container.name, spec, [networks.internal])
        host.action(
            # Named by its former purpose: a recorded state knows it by that.
            f"{name}-password",
            # No delete: the role stays or goes with the volume.
            Operation("postgres", create="role"),
            {
                "container": self.container.name,
                "container_id": self.container.id,
                "role": DATABASE_OWNER,
                "admin": DATABASE_ADMIN,
                "database": DATABASE,
                "password_file": _PASSWORD,
            },
            parent=self,
            depends_on=[self.container],
            triggers=[files.hash],
        )
        self.url = pulumi.Output.secret(
            password.apply(lambda secret: f"postgres://{DATABASE_OWNER}:{secret}@{ALIAS}:5432/{DATABASE}")
        )
        self.register_outputs({"container": self.container.name, "volume": volume.name})
