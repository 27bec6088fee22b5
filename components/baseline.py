"""The baseline: the predecessor's tools and answers through Claude's entry, before anything changes.

Owns: the baseline in the state, and a copy on the host, which is used while ContextForge is out of service, so that a
baseline is never taken from Sentinel's answers.

Deliberately does not: judge. A backend that already fails is reported, and may fail afterwards too.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.base.probes import probes
from components.claude_client import place_of_the_predecessor
from components.host import Operation, StackArgs
from components.predecessor import Predecessor
from settings import Settings
from settings.limits import VERIFICATION_SECONDS
from verify.documents import BaselineRequest


def is_wanted(settings: Settings) -> bool:
    """True with a predecessor to compare with, unless the settings switch the comparison off."""
    return settings.verification.baseline and settings.predecessor.kind == "contextforge"


@dataclass(frozen=True, kw_only=True)
class BaselineArgs(StackArgs):
    """The predecessor that is called, through Claude's own entry."""

    predecessor: Predecessor


class Baseline(pulumi.ComponentResource):
    """Tools with their schemas' hashes, and one harmless call per backend: `verify.documents.Baseline`."""

    document: pulumi.Output[dict[str, object]]

    def __init__(self, name: str, args: BaselineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:Baseline", name, None, opts)
        settings, host = args.settings, args.host
        folder = f"{host.folder}/baseline"
        recorded = host.verify_action(
            f"{name}-recorded",
            "baseline",
            BaselineRequest,
            {
                # A change of it takes a new baseline at the cutover, since that of a staged stack may be days old.
                "active": settings.active,
                "claude": place_of_the_predecessor(settings),
                "gateway": settings.predecessor.gateway,
                "port": settings.sentinel.port,
                "folder": folder,
                "probes": probes(settings),
                "limit_seconds": VERIFICATION_SECONDS,
            },
            parent=self,
            depends_on=[args.predecessor],
        )
        host.action(
            f"{name}-kept",
            Operation("baseline", create="keep", delete="forget"),
            {"folder": folder, "baseline": recorded.result},
            parent=self,
        )
        self.document = recorded.result
        self.register_outputs({"document": self.document})
