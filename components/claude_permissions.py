"""Claude's rules for ContextForge's tools, said of Sentinel's as well before the port moves.

Owns: the counterparts, which its delete takes out again after the rollback's handover.

Deliberately does not: change or remove a rule of the operator's. With `client.permissions: report` nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.claude_client import ClaudeRecord, place
from components.gates import Gates
from components.host import Operation, StackArgs


@dataclass(frozen=True, kw_only=True)
class ClaudePermissionsArgs(StackArgs):
    """The gates, which found Sentinel's names of the tools; without gates only whole entries have counterparts."""

    record: ClaudeRecord
    gates: Gates | None


class ClaudePermissions(pulumi.ComponentResource):
    """The counterparts of Claude's rules. `report` has the edited files and what has no counterpart."""

    report: pulumi.Output[dict[str, object]]

    def __init__(self, name: str, args: ClaudePermissionsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:ClaudePermissions", name, None, opts)
        written = args.host.action(
            f"{name}-rules",
            Operation("permissions", create="add", delete="remove"),
            {
                **place(args.settings),
                "mode": args.settings.client.permissions,
                "names": args.gates.names if args.gates else {},
            },
            parent=self,
            depends_on=[args.record, *([args.gates] if args.gates else [])],
        )
        self.report = written.result
        self.register_outputs({"report": self.report})
