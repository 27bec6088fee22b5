"""The verification after the cutover, through Claude's own entry. A failure fails the run.

Owns: the declared containers, kept on the host, and the verification, which runs again whenever image, configuration,
backends or token changed, since they are in its request. `make verify` runs the same at any time
(`verify/verification.py`).

Deliberately does not: roll back. The operator decides; the failure names the command where there is a predecessor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.base.probes import probes
from components.base.request import request
from components.baseline import Baseline, is_wanted
from components.claude_client import ClaudeClient, place
from components.host import Host, Operation, host_for_verify
from components.postgres import Postgres
from components.sentinel.gateway import Sentinel
from hostctl.verification.expected import ExpectedRequest
from settings import Settings
from verify.documents import VerificationRequest

__all__ = ["ROLLBACK", "Verification", "VerificationArgs", "known_members"]

ROLLBACK = "pulumi config set active contextforge && pulumi up"


@dataclass(frozen=True, kw_only=True)
class VerificationArgs:
    """The gateway that serves now, and the baseline that it is compared with."""

    settings: Settings
    host: Host
    postgres: Postgres
    sentinel: Sentinel
    claude: ClaudeClient
    baseline: Baseline | None


class Verification(pulumi.ComponentResource):
    """`report` is the document of `make verify`: backends, Claude's entry, bindings, containers as declared."""

    report: pulumi.Output[dict[str, object]]

    def __init__(self, name: str, args: VerificationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:Verification", name, None, opts)
        settings, host, sentinel = args.settings, args.host, args.sentinel
        expected = host.action(
            f"{name}-expected",
            Operation("expected", create="keep", delete="forget"),
            request(ExpectedRequest, folder=host.folder, containers=[sentinel.expected, args.postgres.expected]),
            parent=self,
            depends_on=[args.claude],
        )
        verified = host.verify_action(
            f"{name}-backends",
            "verification",
            VerificationRequest,
            {
                **known_members(settings),
                "active": "sentinel",
                "baseline": args.baseline.document if args.baseline else None,
                "because": {
                    "containers": [sentinel.expected, args.postgres.expected],
                    "files": sentinel.files_hash,
                    "token": args.claude.token_expires,
                },
            },
            parent=self,
            depends_on=[args.claude, expected.resource],
        )
        self.report = verified.result
        self.register_outputs({"report": self.report})


def known_members(settings: Settings) -> Mapping[str, object]:
    """The members of `VerificationRequest` that follow from the settings alone."""
    folder = settings.host.folder
    ours = place(settings, folder)
    return {
        "host": host_for_verify(settings.host),
        "claude": {"sentinel": ours, "contextforge": {**ours, "entry": settings.predecessor.entry, "replaces": ""}},
        "gateway": settings.predecessor.gateway_there,
        "port": settings.sentinel.port,
        "health_port": settings.sentinel.health_port,
        "folder": folder,
        "baseline_folder": f"{folder}/baseline" if is_wanted(settings) else "",
        "probes": probes(settings),
        "limit_seconds": settings.verification.limit_seconds,
        # Without a predecessor nothing would have the port.
        "rollback": ROLLBACK if settings.predecessor.kind == "contextforge" else "",
    }
