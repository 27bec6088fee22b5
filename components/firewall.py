"""The firewall: what listens on loopback stays unreachable from outside, even if a loopback bind is lost.

Owns: the rules for every loopback port of this stack, their managed block in the operator's firewall script, and the
job that sets them again once somebody flushed them. The block is in the resource's inputs, so that a preview shows each
line that would change.

Deliberately does not: touch any other rule or line, guard ssh's port, or follow `active`: a rollback keeps the rules.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.host import Operation, StackArgs
from hostctl.core.documents import rows
from hostctl.firewall import rules
from settings import Settings, ports_of


@dataclass(frozen=True, kw_only=True)
class FirewallArgs(StackArgs):
    """The ports to guard, and the host."""


class Firewall(pulumi.ComponentResource):
    """The rules and the block. `report` is the answer of `hostctl firewall apply`, `members` those of its request."""

    members: dict[str, pulumi.Input[object]]
    report: pulumi.Output[dict[str, object]]

    def __init__(self, name: str, args: FirewallArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:Firewall", name, None, opts)
        settings, host = args.settings, args.host
        self._name, self._settings, self._host = name, settings, host
        self._ports = guarded_ports(settings)
        interfaces = self._interfaces()
        self.members = {
            "folder": self._folder,
            "escalation": settings.firewall.escalation,
            "image_of": settings.predecessor.gateway,
            "interfaces": interfaces,
            "ports": self._ports,
            "ssh_port": settings.host.port,
            "script": settings.firewall.script,
            "program": f"{host.folder}/hostctl.pyz",
            "scheduler": host.scheduler,
        }
        applied = host.action(
            f"{name}-rules",
            Operation("firewall", create="apply", delete="remove"),
            {
                **self.members,
                "block": pulumi.Output.from_input(interfaces).apply(self._block),
            },
            parent=self,
        )
        self.report = applied.result
        self.register_outputs({"report": self.report, "request": applied.request})

    def _interfaces(self) -> pulumi.Input[list[str]]:
        """As configured; with `auto` as the host records it the first time, so that a changed route moves no rule."""
        if self._settings.firewall.interface != "auto":
            return [self._settings.firewall.interface]
        detected = self._host.action(
            f"{self._name}-interface",
            Operation("firewall", create="find", delete="forget"),
            {"folder": self._folder},
            parent=self,
        )
        return detected.result.apply(_texts)

    @property
    def _folder(self) -> str:
        return f"{self._host.folder}/firewall"

    def _block(self, interfaces: list[str]) -> str:
        return rules.block(interfaces, self._ports).text


def guarded_ports(settings: Settings) -> list[int]:
    """Every loopback port of this stack and the operator's further ones, in ascending order."""
    return sorted({*ports_of(settings).values(), *settings.firewall.guard_ports})


def _texts(result: dict[str, object]) -> list[str]:
    return [str(name) for name in rows(result.get("interfaces"))]
