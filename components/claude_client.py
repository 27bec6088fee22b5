"""Claude Code on the host: its token and its MCP entry, after the port has changed hands, and back before it returns.

Owns: `ClaudeRecord`, what Claude's file and token file were, taken before the handover, so that a broken file stops
the run while ContextForge still serves; and `ClaudeClient`, the token, our entry in place of the predecessor's, and
the program that gives Claude its header.

Deliberately does not: put the token or Claude's file into the program, its state or the engine's events. The record
stays on the host (0600); what comes back is its path and its hash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import pulumi

from components.handover import Handover
from components.host import Host, Operation
from components.predecessor import RollbackCheck
from components.sentinel.configuration import AUDIENCE, ISSUER, ROLE
from components.sentinel.gateway import TOKENS, Sentinel
from settings import Settings
from settings.limits import RENEW_SHARE
from settings.names import LOOPBACK

__all__ = ["ClaudeClient", "ClaudeClientArgs", "ClaudeRecord", "ClaudeRecordArgs", "place"]

_SUBJECT = "claude"
"""Whom the audit log names for a call of Claude's."""


@dataclass(frozen=True, kw_only=True)
class ClaudeRecordArgs:
    """Which entry is recorded, once the rollback is known to work."""

    settings: Settings
    host: Host
    rollback: RollbackCheck


class ClaudeRecord(pulumi.ComponentResource):
    """Claude's entries and token file as they were; `record` is where on the host, and the hash of it. The record's end
    puts back what is left.
    """

    record: pulumi.Output[dict[str, object]]

    def __init__(self, name: str, args: ClaudeRecordArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:ClaudeRecord", name, None, opts)
        recorded = args.host.action(
            f"{name}-entries",
            Operation("claude", create="record", update="keep", delete="forget"),
            place(args.settings, args.host.folder),
            parent=self,
            depends_on=[args.rollback],
        )
        self.record = recorded.result.apply(_record)
        self.register_outputs({"record": self.record})


@dataclass(frozen=True, kw_only=True)
class ClaudeClientArgs:
    """Whom Claude reaches, and what its files were."""

    settings: Settings
    host: Host
    record: ClaudeRecord
    sentinel: Sentinel
    handover: Handover


class ClaudeClient(pulumi.ComponentResource):
    """Claude's way to Sentinel: on create and update our entry, on delete the recorded ones.

    `token_expires` changes with every renewed token.
    """

    token_expires: pulumi.Output[str]

    def __init__(self, name: str, args: ClaudeClientArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:ClaudeClient", name, None, opts)
        settings, client, host = args.settings, args.settings.client, args.host
        entry: Mapping[str, pulumi.Input[object]] = {
            **place(settings, host.folder),
            "authorization": client.authorization,
            "url": f"http://{LOOPBACK}:{settings.sentinel.port}/mcp",
            "helper": f"{host.folder}/claude/headers",
        }
        token = host.action(
            f"{name}-token",
            # Its delete leaves the file: it may be ContextForge's own, which the record puts back.
            Operation("token", create="write", delete="forget"),
            {
                "path": client.token_file,
                "asked_file": f"{host.folder}/{TOKENS}/claude.json",
                # A literal header must follow a token that the nightly job renews.
                **({"entry": entry} if client.authorization == "literal" else {}),
                "secret_file": args.sentinel.secret_file,
                "issuer": ISSUER,
                "audience": AUDIENCE,
                "subject": _SUBJECT,
                "role": ROLE,
                "days": client.token_days,
                "renew_share": RENEW_SHARE,
                "mode": "0600",
            },
            parent=self,
            depends_on=[args.record, args.handover],
        )
        self.token_expires = token.result.apply(lambda written: str(written.get("expires_at", "")))
        applied = host.action(
            f"{name}-entry",
            Operation("claude", create="apply", delete="restore"),
            {
                **entry,
                "record": args.record.record,
                # A literal header must follow a renewed token.
                "token_expires": self.token_expires,
            },
            parent=self,
            depends_on=[token.resource],
        )
        self.register_outputs({"token_request": token.request, "entry_request": applied.request})


def _record(answer: dict[str, object]) -> dict[str, object]:
    """Without whether it was made now or before, which would be a change in the state and none on the host."""
    return cast("dict[str, object]", answer.get("record", {}))


def place(settings: Settings, folder: str) -> dict[str, str]:
    """Which entry in which file; what the record belongs to. `folder` is the product's own on the host."""
    client = settings.client
    return {
        "file": client.file,
        "scope": client.scope,
        "project": client.project or "",
        "entry": client.entry,
        # What was retired is not put back.
        "replaces": settings.predecessor.entry if settings.predecessor.kind == "contextforge" else "",
        "token_file": client.token_file,
        "issuer": ISSUER,
        "folder": f"{folder}/claude",
    }
