"""Memory and CPU of the stack's containers.

Owns: `Statistics`, the job that reads Docker's statistics once a minute into a file that Prometheus scrapes: no extra
container, no mounted socket, and the memory of bridge and gateway alone, to which the target applies.

Deliberately does not: take part in the cutover, or draw (`dashboards/resources.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.host import Operation, StackArgs
from components.monitoring.prometheus import RESOURCES, Prometheus
from hostctl.firewall.kept import STATE


@dataclass(frozen=True, kw_only=True)
class StatisticsArgs(StackArgs):
    """Prometheus, which reads the file."""

    prometheus: Prometheus


class Statistics(pulumi.ComponentResource):
    """Docker's statistics as a file of metrics. Its delete removes the job."""

    def __init__(self, name: str, args: StatisticsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:Statistics", name, None, opts)
        settings, host = args.settings, args.host
        host.action(
            f"{name}-kept",
            Operation("resources", create="keep", delete="forget"),
            {
                "folder": f"{host.folder}/{name}",
                "program": f"{host.folder}/hostctl.pyz",
                "file": pulumi.Output.concat(args.prometheus.marks, "/", RESOURCES),
                "backups": settings.nightly.folder,
                "target_mb": settings.alerts.memory_target_mb,
                "scheduler": host.scheduler,
                "firewall": f"{host.folder}/firewall/{STATE}" if settings.firewall.enabled else "",
            },
            parent=self,
            depends_on=[args.prometheus],
        )
        self.register_outputs({})
