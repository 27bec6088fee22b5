"""The handover: one atomic step on the host that gives the port to Sentinel, or back to ContextForge.

Owns: the move of the port. `create` and `update` cut over, from ContextForge or from an older Sentinel; `delete` rolls
back to ContextForge, and does nothing when its container does not have the port.

Deliberately does not: start, stop or delete a container of Sentinel's. After any failure inside, the previous holder
serves again within the same step (`hostctl/handover`, its journal and its undo).
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.base.handover_members import handover_members
from components.host import Operation, StackArgs
from components.networks import Networks
from components.predecessor import Predecessor
from components.sentinel.gateway import Sentinel


@dataclass(frozen=True, kw_only=True)
class HandoverArgs(StackArgs):
    """The two gateways, and the networks between which the port moves."""

    networks: Networks
    predecessor: Predecessor
    sentinel: Sentinel


class Handover(pulumi.ComponentResource):
    """The port, held by Sentinel. `report` has `downtime_ms`, its `parts`, `from`, `to`, `at` and `keep`."""

    report: pulumi.Output[dict[str, object]]

    def __init__(self, name: str, args: HandoverArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:Handover", name, None, opts)
        settings = args.settings
        cutover = args.host.action(
            f"{name}-port",
            Operation("handover", create="cutover", delete="rollback"),
            {
                **{
                    **handover_members(settings),
                    "container": args.sentinel.container_id,
                    "edge": args.networks.edge,
                    "internal": args.networks.internal,
                    "predecessor": args.predecessor.record,
                },
            },
            parent=self,
            depends_on=[args.sentinel, args.predecessor],
        )
        self.report = cutover.result
        self.register_outputs({"report": self.report, "request": cutover.request})
