"""The check after each boot of the host: its result is kept on the host and sent to Discord.

Owns: the marker (what must be true after a boot, and what ran when it was written), and the host's own job that checks
it after the boot.

It is in the program whichever gateway has the port: a host may restart at any time, and no command runs before that.
`make reboot-check` shows the result.

Deliberately does not: fix anything, or decide who has the port. Restart policies, set before the boot, do that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pulumi

from components.base.probes import probes
from components.claude_client import place, place_of_the_predecessor
from components.discord import Discord
from components.firewall import Firewall
from components.host import Operation, StackArgs
from components.monitoring.grafana import Grafana
from components.monitoring.prometheus import Prometheus
from components.networks import Networks
from components.nightly import nightly_request
from components.postgres import Postgres
from components.sentinel.gateway import Sentinel
from dashboards.alerting.discord import CONTACT_POINT
from hostctl.core import requests
from settings.limits import AFTER_BOOT_SECONDS
from settings.names import ALERTS_PAGE, GRAFANA_ADMIN
from verify.names import offered_name


@dataclass(frozen=True, kw_only=True)
class RebootCheckArgs(StackArgs):
    """The parts that must come back. `standby`: Sentinel runs, whichever gateway has the port."""

    networks: Networks
    postgres: Postgres
    sentinel: Sentinel
    standby: bool
    firewall: Firewall | None
    prometheus: Prometheus | None
    grafana: Grafana | None
    discord: Discord | None


class RebootCheck(pulumi.ComponentResource):
    """The marker and the job. `report` says what runs the check, and which containers are watched."""

    report: pulumi.Output[dict[str, object]]

    def __init__(self, name: str, args: RebootCheckArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:RebootCheck", name, None, opts)
        self._args, self._folder = args, f"{args.host.folder}/reboot"
        settings, host = args.settings, args.host
        armed = host.action(
            f"{name}-armed",
            Operation("reboot-check", create="arm", delete="disarm"),
            {
                "folder": self._folder,
                "program": f"{host.folder}/hostctl.pyz",
                "limit_seconds": AFTER_BOOT_SECONDS,
                "active": settings.active,
                "port": settings.sentinel.port,
                "health_port": settings.sentinel.health_port,
                "sentinel": args.sentinel.container_name,
                "standby": args.standby,
                "predecessor": settings.predecessor.gateway_name,
                "project": settings.predecessor.project,
                "internal": args.networks.internal,
                "edge": args.networks.edge,
                "containers": self._containers(),
                "firewall": args.firewall.members if args.firewall else {},
                "nightly_request": nightly_request(settings).request_file,
                "claude": place(settings) if settings.active == "sentinel" else place_of_the_predecessor(settings),
                "probes": self._probes(),
                "webhook_file": args.discord.webhook_file if args.discord else "",
                "scheduler": host.scheduler,
                **self._monitoring(),
            },
            parent=self,
        )
        self.report = armed.result
        self.register_outputs({"report": self.report})

    def _containers(self) -> list[pulumi.Input[str]]:
        """Names of those that must run whichever gateway has the port."""
        monitoring = [
            component.container.name for component in (self._args.prometheus, self._args.grafana) if component
        ]
        backends = [backend.container for backend in self._args.settings.backends if backend.container]
        return [self._args.postgres.container.name, *monitoring, *backends]

    def _probes(self) -> list[dict[str, object]]:
        """The backends' probes; each tool under the name that the gateway with the port offers."""
        settings = self._args.settings
        return [
            requests.write(replace(probe, tool=offered_name(settings.active, probe.name, probe.tool)))
            for probe in probes(settings)
        ]

    def _monitoring(self) -> Mapping[str, pulumi.Input[object]]:
        settings, grafana = self._args.settings, self._args.grafana
        if self._args.prometheus is None:
            return {}
        members: dict[str, pulumi.Input[object]] = {
            "prometheus_port": settings.prometheus.port,
            "jobs": self._args.prometheus.jobs,
        }
        if grafana is None:
            return members
        return {
            **members,
            "grafana_port": settings.grafana.port,
            "grafana_user": GRAFANA_ADMIN,
            "grafana_password_file": grafana.admin_password_file,
            "contact_point": CONTACT_POINT,
            "runbook": ALERTS_PAGE,
        }
