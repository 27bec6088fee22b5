"""Grafana: the dashboard, and the alerts that go to Discord.

Owns: its provisioning files, its secrets as files, its container and its volume. Discord's webhook is a file of
`components/discord.py`.

Deliberately does not: rely on anything in its database: data source, dashboard, rules, contact point and policy come
from files on every start, and a changed file is a new container over the same volume. It takes no part in the
handover, and a rollback keeps it. A bad alerting file makes Grafana exit at its start, which `pulumi up` reports; a
test holds our files to the formats that it reads.

Grafana reads two secrets only when it creates its database: the admin's password, which `hostctl grafana password`
therefore changes in the database, and the key that encrypts its secrets. It does not start with the database of another
key, so the database's name contains the key's hash, and another key starts an empty one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import cast

import pulumi
import pulumi_docker as docker
from pydantic import SecretStr

from components.base.container import ContainerSpec, HealthCheck, Port, hardened_container
from components.base.files import HostFile, HostFiles, HostFilesArgs
from components.discord import Discord
from components.host import Operation, StackArgs
from components.monitoring.prometheus import ALIAS as PROMETHEUS
from components.monitoring.prometheus import PORT as PROMETHEUS_PORT
from components.monitoring.prometheus import Prometheus
from components.networks import Networks
from dashboards.provisioning import files as provisioning_files
from settings import Settings, secret_output
from settings.limits import GRAFANA_HEAP_MB, GRAFANA_MEMORY_MB, MONITORING_STOP_SECONDS
from settings.names import GRAFANA_ADMIN, LOOPBACK

NAME = "sentinel-grafana"
"""The component's and the container's name."""
USER = 472
"""The image's user, who owns its volume."""

ALIAS = "grafana"
PORT = 3000
_DATA = "/var/lib/grafana"
_VOLUME = "sentinel-grafana"
_ADMIN = "/run/secrets/grafana_admin"
_SECRET_KEY = "/run/secrets/grafana_secret_key"
_WEBHOOK = "/run/secrets/discord_webhook"


def environment(settings: Settings) -> dict[str, str]:
    """Grafana's configuration: no sign-up, no anonymous access, no call home, no download.

    The image's start script reads `*__FILE`. `PREINSTALL_AUTO_UPDATE` is off because 13.2 and newer would replace the
    bundled Prometheus plugin, which fails on a read-only root and leaves every panel dead.
    """
    grafana = settings.grafana
    return {
        "GOMEMLIMIT": f"{GRAFANA_HEAP_MB}MiB",
        "GF_SECURITY_ADMIN_USER": GRAFANA_ADMIN,
        "GF_SECURITY_ADMIN_PASSWORD__FILE": _ADMIN,
        "GF_SECURITY_SECRET_KEY__FILE": _SECRET_KEY,
        "GF_SECURITY_DISABLE_GRAVATAR": "true",
        "GF_SECURITY_COOKIE_SECURE": str(grafana.root_url.startswith("https:")).lower(),
        "GF_SECURITY_COOKIE_SAMESITE": "strict",
        "GF_AUTH_ANONYMOUS_ENABLED": "false",
        "GF_AUTH_ANONYMOUS_HIDE_VERSION": "true",
        "GF_USERS_ALLOW_SIGN_UP": "false",
        "GF_DATABASE_PATH": database(settings),
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_ANALYTICS_FEEDBACK_LINKS_ENABLED": "false",
        "GF_PLUGINS_PREINSTALL_DISABLED": "true",
        "GF_PLUGINS_PREINSTALL_AUTO_UPDATE": "false",
        "GF_PLUGINS_PLUGIN_ADMIN_ENABLED": "false",
        "GF_SNAPSHOTS_ENABLED": "false",
        "GF_PUBLIC_DASHBOARDS_ENABLED": "false",
        "GF_NEWS_NEWS_FEED_ENABLED": "false",
        "GF_LOG_MODE": "console",
        "GF_SERVER_ROOT_URL": grafana.root_url,
    }


def database(settings: Settings) -> str:
    """The database's file in the volume, one for each secret key."""
    key = cast(SecretStr, settings.grafana_secret_key).get_secret_value()
    return f"grafana-{hashlib.sha256(key.encode()).hexdigest()[:12]}.db"


@dataclass(frozen=True, kw_only=True)
class GrafanaArgs(StackArgs):
    """Grafana's dependencies. Where `standby` is false Sentinel is stopped on purpose, and the rules are paused."""

    networks: Networks
    prometheus: Prometheus
    discord: Discord
    standby: bool


class Grafana(pulumi.ComponentResource):
    """One Grafana, healthy and provisioned once it is done. `admin_password_file` is on the host."""

    container: docker.Container
    admin_password_file: pulumi.Output[str]

    def __init__(self, name: str, args: GrafanaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:Grafana", name, None, opts)
        self._args = args
        host, settings = args.host, args.settings.grafana
        image = docker.RemoteImage(
            f"{name}-image", name=settings.image, keep_locally=True, opts=host.docker_options(self)
        )
        volume = docker.Volume(f"{name}-data", name=_VOLUME, opts=host.docker_options(self, retain_on_delete=True))
        contents = self._contents()
        files = HostFiles(
            f"{name}-files",
            HostFilesArgs(
                files={_file(path): HostFile(content) for path, content in contents.items()},
                owner=USER,
                host=host,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.admin_password_file = files.path(_file(_ADMIN))
        spec = ContainerSpec(
            image=image.image_id,
            name=name,
            user=f"{USER}:{USER}",
            memory_mb=GRAFANA_MEMORY_MB,
            network=args.networks.internal,
            aliases=[ALIAS],
            edge=args.networks.edge,
            environment=environment(args.settings),
            files={**{path: files.path(_file(path)) for path in contents}, _WEBHOOK: args.discord.webhook_file},
            volumes={_DATA: volume.name},
            tmpfs={"/tmp": "mode=1777"},
            ports=[Port(LOOPBACK, settings.port, PORT)],
            health=HealthCheck(
                command=["curl", "-fsS", "-m", "3", f"http://127.0.0.1:{PORT}/api/health"],
                interval=5,
                timeout=5,
                retries=6,
                start_period=60,
            ),
            labels={"sentinel-cutover.files": files.hash},
            stop_seconds=MONITORING_STOP_SECONDS,
        )
        self.container = hardened_container(
            f"{name}-container", spec, host.docker_options(self, delete_before_replace=True)
        )
        host.action(
            f"{name}-password",
            # No delete: the password stays or goes with the volume.
            Operation("grafana", create="password"),
            {
                "container": self.container.name,
                "user": GRAFANA_ADMIN,
                "port": PORT,
                "password_file": _ADMIN,
                "key_file": _SECRET_KEY,
                "data": _DATA,
                "database": database(args.settings),
            },
            parent=self,
            depends_on=[self.container],
            triggers=[files.hash],
        )
        self.register_outputs({"container": self.container.name, "volume": volume.name})

    def _contents(self) -> dict[str, pulumi.Input[str]]:
        """Every file by its path inside the container."""
        provisioned = provisioning_files(
            self._args.settings,
            prometheus=f"http://{PROMETHEUS}:{PROMETHEUS_PORT}",
            webhook_file=_WEBHOOK,
            paused=not self._args.standby,
        )
        return {
            **provisioned,
            _ADMIN: self._secret("grafana_admin_password"),
            _SECRET_KEY: self._secret("grafana_secret_key"),
        }

    def _secret(self, key: str) -> pulumi.Output[str]:
        """A secret that the settings require while Grafana is enabled."""
        return secret_output(cast(SecretStr, self._args.settings.secret(key)))


def _file(path: str) -> str:
    """A file's name on the host, where all share one folder: `/run/secrets/x` is `run-secrets-x`."""
    return path.strip("/").replace("/", "-")
