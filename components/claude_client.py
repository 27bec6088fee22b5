"""Claude Code on the host: its token and its MCP entry, changed after the cutover's handover, restored before the
rollback's.

Owns: `ClaudeRecord`, the record of Claude's file and token file, made before the handover, so that a broken file stops
the run while ContextForge still serves; and `ClaudeClient`, the token, our entry in place of the predecessor's, and
the program that prints Claude's header.

Deliberately does not: put the token or Claude's file into the program, its state or the engine's events. The record
stays on the host (0600); only its path and its hash are in the state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import pulumi

from components.base.request import request
from components.handover import Handover
from components.host import Host, Operation
from components.predecessor import RollbackCheck
from components.sentinel.configuration import AUDIENCE, ISSUER, ROLE
from components.sentinel.gateway import TOKENS, Sentinel
from hostctl.claude_client.request import EntryRequest
from hostctl.tokens import CLAUDE, TokenRequest
from settings import Settings
from settings.limits import RENEW_SHARE
from settings.names import LOOPBACK

__all__ = ["ClaudeClient", "ClaudeClientArgs", "ClaudeRecord", "ClaudeRecordArgs", "place"]

_SUBJECT = "claude"
"""The audit log's name for Claude."""


@dataclass(frozen=True, kw_only=True)
class ClaudeRecordArgs:
    """The entry to record, once the rollback is known to work."""

    settings: Settings
    host: Host
    rollback: RollbackCheck


class ClaudeRecord(pulumi.ComponentResource):
    """The record of Claude's entries and token file; `record` is its path on the host and its hash.

    Its delete restores what is still changed.
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
    """The gateway that Claude reaches, and the record of its files."""

    settings: Settings
    host: Host
    record: ClaudeRecord
    sentinel: Sentinel
    handover: Handover


class ClaudeClient(pulumi.ComponentResource):
    """Claude's connection to Sentinel: our entry on create and update, the recorded ones on delete.

    `token_expires` changes with every renewed token.
    """

    token_expires: pulumi.Output[str]

    def __init__(self, name: str, args: ClaudeClientArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:ClaudeClient", name, None, opts)
        settings, client, host = args.settings, args.settings.client, args.host
        entry: Mapping[str, str] = {
            **place(settings, host.folder),
            "authorization": client.authorization,
            "url": f"http://{LOOPBACK}:{settings.sentinel.port}/mcp",
            "helper": f"{host.folder}/claude/headers",
        }
        token = host.action(
            f"{name}-token",
            # Its delete leaves the file: it may be ContextForge's own, which the record restores.
            Operation("token", create="write", delete="forget"),
            request(
                TokenRequest,
                path=client.token_file,
                request_file=f"{host.folder}/{TOKENS}/{CLAUDE}.json",
                # An entry with a literal header must change when the nightly job renews the token.
                entry=entry if client.authorization == "literal" else {},
                secret_file=args.sentinel.secret_file,
                issuer=ISSUER,
                audience=AUDIENCE,
                subject=_SUBJECT,
                role=ROLE,
                days=client.token_days,
                renew_share=RENEW_SHARE,
            ),
            parent=self,
            depends_on=[args.record, args.handover],
        )
        self.token_expires = token.result.apply(lambda written: str(written.get("expires_at", "")))
        applied = host.action(
            f"{name}-entry",
            Operation("claude", create="apply", delete="restore"),
            request(EntryRequest, **entry, record=args.record.record, token_expires=self.token_expires),
            parent=self,
            depends_on=[token.resource],
        )
        self.register_outputs({"token_request": token.request, "entry_request": applied.request})


def _record(answer: dict[str, object]) -> dict[str, object]:
    """The record alone: its age would be a change in the state and none on the host."""
    return cast("dict[str, object]", answer.get("record", {}))


def place(settings: Settings, folder: str) -> dict[str, str]:
    """The members of a `Place` on the host; `folder` is the product's own."""
    client = settings.client
    return {
        "file": client.file,
        "scope": client.scope,
        "project": client.project or "",
        "entry": client.entry,
        # A retired predecessor's entry is not restored.
        "replaces": settings.predecessor.entry if settings.predecessor.kind == "contextforge" else "",
        "token_file": client.token_file,
        "issuer": ISSUER,
        "folder": f"{folder}/claude",
    }
