"""What runs before the cutover, recorded before anything changes: the rollback.

Owns: the record, made once, kept in the state and on the host. It is an input of the resource that changes what it
describes, so that this resource's `delete` can put back exactly what was there.

Deliberately does not: touch ContextForge. `hostctl predecessor record` reads; it refuses, naming what is missing, when
a container, image, volume or network that the rollback needs is gone, or when a stranger holds the port.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.host import Host, Operation
from settings import Settings

__all__ = ["Predecessor", "PredecessorArgs", "RollbackCheck", "RollbackCheckArgs"]


@dataclass(frozen=True, kw_only=True)
class PredecessorArgs:
    """Which containers are the predecessor, and the host that they run on."""

    settings: Settings
    host: Host


class Predecessor(pulumi.ComponentResource):
    """The gateway that hands the port over. `record` is what `hostctl handover` needs to bring it back."""

    record: pulumi.Output[dict[str, object]]

    def __init__(self, name: str, args: PredecessorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:Predecessor", name, None, opts)
        recorded = args.host.action(
            f"{name}-record", Operation("predecessor", create="record"), _which(args.settings, args.host), parent=self
        )
        self.record = recorded.result
        self.register_outputs({"record": self.record})


@dataclass(frozen=True, kw_only=True)
class RollbackCheckArgs:
    """The predecessor to come back to."""

    settings: Settings
    host: Host
    predecessor: Predecessor


class RollbackCheck(pulumi.ComponentResource):
    """The rollback, looked at again when the port is about to change hands: the record may be days old by then.

    In the program only while Sentinel is to serve, so that it is asked at each cutover and never on the rollback.
    """

    def __init__(self, name: str, args: RollbackCheckArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:RollbackCheck", name, None, opts)
        args.host.action(
            f"{name}-check",
            Operation("predecessor", create="check"),
            _which(args.settings, args.host),
            parent=self,
            depends_on=[args.predecessor],
        )
        self.register_outputs({})


def _which(settings: Settings, host: Host) -> Mapping[str, pulumi.Input[object]]:
    predecessor = settings.predecessor
    return {
        "kind": predecessor.kind,
        "project": predecessor.project,
        "gateway": predecessor.gateway,
        "port": settings.sentinel.port,
        # The handover's journal: while the predecessor is out of service, what it was stands there.
        "folder": f"{host.folder}/handover",
    }
