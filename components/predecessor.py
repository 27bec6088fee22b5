"""The predecessor before the cutover, recorded before anything changes: what a rollback restores.

Owns: the record, made once, kept in the state and on the host. It is an input of the handover, so that the handover's
`delete` can restore exactly the gateway that it describes.

Deliberately does not: touch ContextForge. `hostctl predecessor record` reads; it refuses, naming what is missing, when
a container, image, volume or network that the rollback needs is gone, or when an unknown owner holds the port.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.base.handover_members import handover_folder
from components.host import Host, Operation, StackArgs
from settings import Settings


@dataclass(frozen=True, kw_only=True)
class PredecessorArgs(StackArgs):
    """The settings that name the predecessor, and its host."""


class Predecessor(pulumi.ComponentResource):
    """The gateway that hands the port over. `record` is what `hostctl handover rollback` restores."""

    record: pulumi.Output[dict[str, object]]

    def __init__(self, name: str, args: PredecessorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:Predecessor", name, None, opts)
        recorded = args.host.action(
            f"{name}-record", Operation("predecessor", create="record"), _members(args.settings, args.host), parent=self
        )
        self.record = recorded.result
        self.register_outputs({"record": self.record})


@dataclass(frozen=True, kw_only=True)
class RollbackCheckArgs(StackArgs):
    """The predecessor that a rollback needs."""

    predecessor: Predecessor


class RollbackCheck(pulumi.ComponentResource):
    """The check of the rollback right before the cutover: the record may be days old by then.

    In the program only while Sentinel is to serve, so that it runs at each cutover and never on a rollback.
    """

    def __init__(self, name: str, args: RollbackCheckArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:RollbackCheck", name, None, opts)
        args.host.action(
            f"{name}-check",
            Operation("predecessor", create="check"),
            _members(args.settings, args.host),
            parent=self,
            depends_on=[args.predecessor],
        )
        self.register_outputs({})


def _members(settings: Settings, host: Host) -> dict[str, pulumi.Input[object]]:
    predecessor = settings.predecessor
    return {
        "kind": predecessor.kind,
        "project": predecessor.project,
        "gateway": predecessor.gateway,
        "port": settings.sentinel.port,
        # The handover's journal describes a predecessor that is already out of service as it was before.
        "folder": handover_folder(host.folder),
    }
