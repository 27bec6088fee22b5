"""What runs before the cutover, recorded before anything changes: the way back.

Owns: the record, made once, kept in the state and on the host. It is an input of the resource that changes what it
describes, so that this resource's `delete` can put back exactly what was there.

Deliberately does not: touch ContextForge. `hostctl predecessor record` reads; it refuses, naming what is missing, when
a container, image, volume or network that the way back needs is gone, or when a stranger holds the port.
"""

from __future__ import annotations

import pulumi

from components.host import Host, Operation
from components.settings.serving import Predecessor as PredecessorSettings

__all__ = ["Predecessor"]


class Predecessor(pulumi.ComponentResource):
    """The gateway that hands the port over. `record` is what `hostctl handover` needs to bring it back."""

    record: pulumi.Output[dict[str, object]]

    def __init__(
        self,
        name: str,
        settings: PredecessorSettings,
        *,
        host: Host,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("sentinel-cutover:index:Predecessor", name, None, opts)
        recorded = host.action(
            f"{name}-record",
            Operation("predecessor", create="record"),
            {
                "kind": settings.kind,
                "project": settings.project,
                "gateway": settings.gateway,
                "port": settings.port,
                # The handover's journal: while the predecessor is out of service, what it was stands there.
                "folder": f"{host.folder}/handover",
            },
            parent=self,
        )
        self.record = recorded.result
        self.register_outputs({"record": self.record})
