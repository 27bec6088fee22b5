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
from components.baseline import Baseline, is_wanted
from components.claude_client import ClaudeClient, place, place_of_the_predecessor
from components.host import Operation, StackArgs, host_for_verify
from components.postgres import Postgres
from components.sentinel.gateway import Sentinel
from settings import Settings
from settings.limits import VERIFICATION_SECONDS
from verify.documents import VerificationRequest


@dataclass(frozen=True, kw_only=True)
class VerificationArgs(StackArgs):
    """The gateway that serves now, and the baseline that it is compared with."""

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
            {"folder": host.folder, "containers": [sentinel.expected, args.postgres.expected]},
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
                "rollback": rollback_command(settings, pulumi.get_stack()),
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


def rollback_command(settings: Settings, stack: str) -> str:
    """The command that gives the port back; empty without a predecessor, since nobody would have the port then."""
    return f"make rollback STACK={stack}" if settings.predecessor.kind == "contextforge" else ""


def known_members(settings: Settings) -> Mapping[str, object]:
    """The members of `VerificationRequest` that follow from the settings alone."""
    folder = settings.host.folder
    return {
        "host": host_for_verify(settings.host),
        "claude": {"sentinel": place(settings), "contextforge": place_of_the_predecessor(settings)},
        "gateway": settings.predecessor.gateway_name,
        "port": settings.sentinel.port,
        "health_port": settings.sentinel.health_port,
        "folder": folder,
        "baseline_folder": f"{folder}/baseline" if is_wanted(settings) else "",
        "grace_folder": f"{folder}/grace",
        "probes": probes(settings),
        "limit_seconds": VERIFICATION_SECONDS,
    }
