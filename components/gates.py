"""The gates: checks that the standby container passes before it may have the port.

Owns: the request. A failed gate ends the run with its name, its expectation and finding, and the container's last log
lines; the container is kept for inspection, and the gateway that serves has not been touched.

Deliberately does not: delay a rollback. `active` is part of the request, so that the gates run again when the port is
about to change hands, which may be days after the container was made. During and after a rollback, or with a container
that already has the port, all are skipped (`verify/gates_run.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pulumi

from components.base.handover_members import handover_folder
from components.base.probes import probes
from components.baseline import Baseline
from components.host import StackArgs
from components.networks import Networks
from components.postgres import Postgres
from components.sentinel.gateway import Sentinel
from settings.limits import GATE_SECONDS, UPSTREAM_SECONDS
from settings.names import DATABASE, DATABASE_OWNER, SENTINEL_USER
from verify.documents import GatesRequest


@dataclass(frozen=True, kw_only=True)
class GatesArgs(StackArgs):
    """The standby container, and the baseline that it is compared with."""

    networks: Networks
    postgres: Postgres
    sentinel: Sentinel
    baseline: Baseline | None


class Gates(pulumi.ComponentResource):
    """Every gate has passed once this component is registered.

    `names` has Sentinel's name of each tool of the predecessor's, empty where no gate ran.
    """

    names: pulumi.Output[dict[str, object]]

    def __init__(self, name: str, args: GatesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:Gates", name, None, opts)
        settings, sentinel = args.settings, args.sentinel
        passed = args.host.verify_action(
            f"{name}-passed",
            "gates",
            GatesRequest,
            {
                "active": settings.active,
                "container": sentinel.container_id,
                "user": f"{SENTINEL_USER}:{SENTINEL_USER}",
                "internal": args.networks.internal,
                "edge": args.networks.edge,
                "port": settings.sentinel.port,
                "health_port": settings.sentinel.health_port,
                "gateway": settings.predecessor.gateway_name,
                "handover_folder": handover_folder(args.host.folder),
                "database": {"container": args.postgres.container.name, "role": DATABASE_OWNER, "name": DATABASE},
                "token_file": sentinel.token_file,
                "health_token_file": sentinel.health_token_file or "",
                "probes": probes(settings),
                "baseline": args.baseline.document if args.baseline else None,
                "start_seconds": settings.sentinel.start_seconds,
                "gate_seconds": GATE_SECONDS,
                "upstream_seconds": UPSTREAM_SECONDS,
            },
            parent=self,
            depends_on=[sentinel, args.postgres, *([args.baseline] if args.baseline else [])],
        )
        self.names = passed.result.apply(lambda report: cast("dict[str, object]", report.get("names") or {}))
        self.register_outputs({"report": passed.result})
