"""The uptime check: n8n's own probes of the gateway, Prometheus and Grafana, so that dead monitoring is reported too.

Owns: the workflow in n8n while Sentinel holds the port, the file with n8n's API key that `hostctl n8n` reads on the
host, and the membership of Prometheus and Grafana in n8n's networks (`networks.also`); Sentinel joins these at the
handover.

Deliberately does not: run n8n, or outlive a rollback. That removes the workflow first, so that a gateway that is out of
service on purpose raises no alarm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pulumi
from pydantic import SecretStr

from components.base.files import HostFile, HostFiles, HostFilesArgs
from components.discord import Discord
from components.host import Action, Operation, StackArgs
from components.monitoring import grafana as grafana_component
from components.monitoring import prometheus as prometheus_component
from components.monitoring.grafana import Grafana
from components.monitoring.prometheus import Prometheus
from components.n8n_workflow.workflow import Target, targets, workflow
from components.sentinel.configuration import ALIAS as GATEWAY
from components.verification import Verification
from settings import secret_output

FAILURES = 2
"""Failed checks in a row that count as down."""
OWNER = 0
"""Only root, who runs `hostctl`, reads the key."""
WAIT_SECONDS = 60
"""Limit for an n8n that is still starting."""


@dataclass(frozen=True, kw_only=True)
class HealthWatchArgs(StackArgs):
    """The probed services, and the verification that comes before."""

    verification: Verification
    discord: Discord
    prometheus: Prometheus | None
    grafana: Grafana | None


class HealthWatch(pulumi.ComponentResource):
    """One published workflow; `report` is the answer of `hostctl n8n`: the workflow's id, and the changes."""

    report: pulumi.Output[dict[str, object]]

    def __init__(self, name: str, args: HealthWatchArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:HealthWatch", name, None, opts)
        self._name, self._args = name, args
        check, host = args.settings.health_watch, args.host
        files = self._files()
        reached = self._reached() if check.in_container else []
        applied = host.action(
            f"{name}-workflow",
            Operation("n8n", create="apply", delete="remove"),
            {
                "url": check.url,
                "key_file": files.path("n8n_api_key"),
                "webhook_file": args.discord.webhook_file,
                "workflow": workflow(self._targets(), minutes=check.minutes, failures=FAILURES),
                "limit_seconds": WAIT_SECONDS,
            },
            parent=self,
            depends_on=[args.verification, *(action.resource for action in reached)],
        )
        self.report = applied.result
        self.register_outputs({"report": self.report})

    def _files(self) -> HostFiles:
        key = cast(SecretStr, self._args.settings.n8n_api_key)
        return HostFiles(
            f"{self._name}-files",
            HostFilesArgs(
                files={"n8n_api_key": HostFile(secret_output(key))},
                owner=OWNER,
                host=self._args.host,
            ),
            pulumi.ResourceOptions(parent=self),
        )

    def _reached(self) -> list[Action]:
        """The joins of both containers to each of n8n's networks, repeated when a container has been replaced."""
        monitoring = {
            prometheus_component.ALIAS: self._args.prometheus,
            grafana_component.ALIAS: self._args.grafana,
        }
        present = {alias: component.container for alias, component in monitoring.items() if component is not None}
        if not present:
            return []
        return [
            self._args.host.action(
                f"{self._name}-reached-{network}",
                Operation("networks", create="join", delete="leave"),
                {
                    "network": network,
                    "members": [
                        {"container": container.name, "aliases": [alias]} for alias, container in present.items()
                    ],
                    "containers": [container.id for container in present.values()],
                },
                parent=self,
            )
            for network in self._args.settings.networks.also
        ]

    def _targets(self) -> list[Target]:
        settings = self._args.settings
        inside = {
            "gateway": f"{GATEWAY}:{settings.sentinel.health_port}",
            "prometheus": f"{prometheus_component.ALIAS}:{prometheus_component.PORT}",
            "grafana": f"{grafana_component.ALIAS}:{grafana_component.PORT}",
        }
        ports = (settings.sentinel.health_port, settings.prometheus.port, settings.grafana.port)
        on_host = {name: f"127.0.0.1:{port}" for name, port in zip(inside, ports, strict=True)}
        return targets(settings, **(inside if settings.health_watch.in_container else on_host))
