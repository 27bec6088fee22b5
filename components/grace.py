"""The grace period: the time after a cutover in which Sentinel honours the predecessor's token and names.

Owns: the folder on the host that Sentinel's bridge has mounted. The handover away from the predecessor begins the
period in it (`hostctl/grace`), so that a new container, of an upgrade or a rotation, does not begin it again.

Deliberately does not: see the token. It is read on the host, and only its hash is kept beside Claude's record.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.base.handover_members import grace_members
from components.baseline import Baseline
from components.host import Operation, StackArgs


@dataclass(frozen=True, kw_only=True)
class GraceArgs(StackArgs):
    """The baseline, which has the predecessor's names of the tools."""

    baseline: Baseline | None


class Grace(pulumi.ComponentResource):
    """The folder, ready to be mounted: `folder` is its path on the host, known once it is made."""

    folder: pulumi.Output[str]

    def __init__(self, name: str, args: GraceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:Grace", name, None, opts)
        members = grace_members(args.settings)
        prepared = args.host.action(
            f"{name}-prepared",
            Operation("grace", create="prepare", delete="remove"),
            members,
            parent=self,
            depends_on=[args.baseline] if args.baseline else [],
        )
        self.folder = prepared.resource.urn.apply(lambda _: str(members["folder"]))
        self.register_outputs({"folder": self.folder})
