"""The predecessor's answers through Claude's own entry, before anything changes.

Owns: the record in the state, and a copy on the host, which is used whenever ContextForge is out of service: a baseline
is never taken from Sentinel's own answers.

Deliberately does not: judge. A backend that was broken is recorded as such, and may stay so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.base.probes import questions
from components.base.request import request
from components.claude_client import place
from components.host import Host, Operation
from components.predecessor import Predecessor
from hostctl.baseline import KeepRequest
from settings import Settings

__all__ = ["Baseline", "BaselineArgs", "is_wanted"]


def is_wanted(settings: Settings) -> bool:
    """Whether there is a predecessor to compare with, and the comparison is wanted."""
    return settings.verification.baseline and settings.predecessor.kind == "contextforge"


@dataclass(frozen=True, kw_only=True)
class BaselineArgs:
    """The predecessor that is called, through Claude's own entry."""

    settings: Settings
    host: Host
    predecessor: Predecessor


class Baseline(pulumi.ComponentResource):
    """Tools with their schemas' hashes and one harmless call a backend: `verify.documents.Baseline`."""

    document: pulumi.Output[dict[str, object]]

    def __init__(self, name: str, args: BaselineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:Baseline", name, None, opts)
        settings, host = args.settings, args.host
        folder = f"{host.folder}/baseline"
        taken = host.asking(
            f"{name}-taken",
            "baseline",
            {
                # Taken anew at the cutover, since a staged one may be days old; on the rollback the kept one answers.
                "active": settings.active,
                "claude": _predecessors_entry(settings, host),
                "gateway": settings.predecessor.gateway,
                "port": settings.sentinel.port,
                "folder": folder,
                "questions": questions(settings),
                "limit_seconds": settings.verification.limit_seconds,
            },
            parent=self,
            depends_on=[args.predecessor],
        )
        host.action(
            f"{name}-kept",
            Operation("baseline", create="keep", delete="forget"),
            request(KeepRequest, folder=folder, baseline=taken.result),
            parent=self,
        )
        self.document = taken.result
        self.register_outputs({"document": self.document})


def _predecessors_entry(settings: Settings, host: Host) -> Mapping[str, pulumi.Input[object]]:
    return {**place(settings, host.folder), "entry": settings.predecessor.entry, "replaces": ""}
