"""The firewall: what listens on loopback stays unreachable from outside, even if a loopback bind is lost.

Owns: the rules for every loopback port of this stack, and their managed block in the operator's firewall script. The
block is in the resource's inputs, so that a preview shows each line that would change.

Deliberately does not: touch any other rule or line, guard ssh's port, or follow `active`: a rollback keeps the rules.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.base.request import request
from components.host import Host, Operation
from hostctl.core.documents import rows
from hostctl.firewall import rules
from hostctl.firewall.interface import InterfaceRequest
from hostctl.firewall.request import FirewallRequest
from settings import Settings

__all__ = ["Firewall", "FirewallArgs", "guarded_ports", "loopback_ports"]


@dataclass(frozen=True, kw_only=True)
class FirewallArgs:
    """The ports to guard, and the host."""

    settings: Settings
    host: Host


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
        }
        applied = host.action(
            f"{name}-rules",
            Operation("firewall", create="apply", delete="remove"),
            request(
                FirewallRequest,
                **self.members,
                block=pulumi.Output.from_input(interfaces).apply(self._block),
            ),
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
            request(InterfaceRequest, folder=self._folder),
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
    return sorted({*loopback_ports(settings), *settings.firewall.guard_ports})


def loopback_ports(settings: Settings) -> list[int]:
    """The ports that this stack publishes, on loopback alone, in ascending order."""
    monitoring = [service.port for service in (settings.prometheus, settings.grafana) if service.enabled]
    return sorted({settings.sentinel.port, settings.sentinel.health_port, *monitoring})


def _texts(result: dict[str, object]) -> list[str]:
    return [str(name) for name in rows(result.get("interfaces"))]
