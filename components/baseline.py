"""The baseline: the predecessor's tools and answers through Claude's entry, before anything changes.

Owns: the baseline in the state, and a copy on the host, which is used while ContextForge is out of service, so that a
baseline is never taken from Sentinel's answers.

Deliberately does not: judge. A backend that already fails is reported, and may fail afterwards too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.base.probes import probes
from components.base.request import request
from components.claude_client import place
from components.host import Host, Operation
from components.predecessor import Predecessor
from hostctl.baseline import KeepRequest
from settings import Settings
from verify.documents import BaselineRequest

__all__ = ["Baseline", "BaselineArgs", "is_wanted"]


def is_wanted(settings: Settings) -> bool:
    """True with a predecessor to compare with, unless the settings switch the comparison off."""
    return settings.verification.baseline and settings.predecessor.kind == "contextforge"


@dataclass(frozen=True, kw_only=True)
class BaselineArgs:
    """The predecessor that is called, through Claude's own entry."""

    settings: Settings
    host: Host
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
                "claude": _of_the_predecessor(settings, host),
                "gateway": settings.predecessor.gateway,
                "port": settings.sentinel.port,
                "folder": folder,
                "probes": probes(settings),
                "limit_seconds": settings.verification.limit_seconds,
            },
            parent=self,
            depends_on=[args.predecessor],
        )
        host.action(
            f"{name}-kept",
            Operation("baseline", create="keep", delete="forget"),
            request(KeepRequest, folder=folder, baseline=recorded.result),
            parent=self,
        )
        self.document = recorded.result
        self.register_outputs({"document": self.document})


def _of_the_predecessor(settings: Settings, host: Host) -> Mapping[str, pulumi.Input[object]]:
    return {**place(settings, host.folder), "entry": settings.predecessor.entry, "replaces": ""}
