"""Claude Code on the host: its token and its MCP entry, changed after the cutover's handover, restored before the
rollback's.

Owns: `ClaudeRecord`, the record of Claude's file and token file, made before the handover, so that a broken file stops
the run while ContextForge still serves; `ClaudeClient`, the token and our entry in place of the predecessor's; and
`ClaudeHeader`, the program that prints Claude's header, which a session keeps calling after a rollback.

Deliberately does not: put the token or Claude's file into the program, its state or the engine's events. The record
stays on the host (0600); only its path and its hash are in the state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pulumi

from components.handover import Handover
from components.host import Operation, StackArgs
from components.predecessor import RollbackCheck
from components.sentinel.configuration import ISSUER
from components.sentinel.gateway import Sentinel, token_members
from hostctl.tokens import CLAUDE
from settings import Settings
from settings.names import LOOPBACK

_SUBJECT = "claude"
"""The audit log's name for Claude."""


class ClaudeHeader(pulumi.ComponentResource):
    """The program that prints the header of our entry, on the host for as long as the stack is.

    It prints the token of the gateway that serves, so that a session which began on Sentinel goes on after a rollback.
    """

    def __init__(self, name: str, args: StackArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:ClaudeHeader", name, None, opts)
        args.host.action(
            f"{name}-program",
            Operation("header", create="install", delete="remove"),
            entry_request(args.settings),
            parent=self,
        )
        self.register_outputs({})


@dataclass(frozen=True, kw_only=True)
class ClaudeRecordArgs(StackArgs):
    """The entry to record, once the rollback is known to work."""

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
            Operation("claude", create="record", delete="forget"),
            place(args.settings),
            parent=self,
            depends_on=[args.rollback],
        )
        self.record = recorded.result.apply(_record)
        self.register_outputs({"record": self.record})


@dataclass(frozen=True, kw_only=True)
class ClaudeClientArgs(StackArgs):
    """The gateway that Claude reaches, and the record of its files."""

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
        settings, host = args.settings, args.host
        token = host.action(
            f"{name}-token",
            # Its delete leaves the file: it may be ContextForge's own, which the record restores.
            Operation("token", create="write", delete="forget"),
            token_members(
                settings,
                name=CLAUDE,
                path=settings.client.token_file,
                subject=_SUBJECT,
                secret_file=args.sentinel.secret_file,
            ),
            parent=self,
            depends_on=[args.record, args.handover],
        )
        self.token_expires = token.result.apply(lambda written: str(written.get("expires_at", "")))
        applied = host.action(
            f"{name}-entry",
            Operation("claude", create="apply", delete="restore"),
            {**entry_request(settings), "record": args.record.record},
            parent=self,
            depends_on=[token.resource],
        )
        self.register_outputs({"token_request": token.request, "entry_request": applied.request})


def _record(answer: dict[str, object]) -> dict[str, object]:
    """The record alone: its age would be a change in the state and none on the host."""
    return cast("dict[str, object]", answer.get("record", {}))


def place(settings: Settings) -> dict[str, Any]:
    """The members of a `Place` on the host."""
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
        "folder": f"{settings.host.folder}/claude",
        "home": settings.host.home,
        "port": settings.sentinel.port,
        "gateway": settings.predecessor.gateway_name,
        "entries": client.entries,
    }


def entry_request(settings: Settings) -> dict[str, Any]:
    """The members of an `EntryRequest` on the host."""
    return {
        **place(settings),
        "url": f"http://{LOOPBACK}:{settings.sentinel.port}/mcp",
        "helper": f"{settings.host.folder}/claude/headers",
    }


def place_of_the_predecessor(settings: Settings) -> dict[str, Any]:
    """The same for the predecessor's own entry."""
    return {**place(settings), "entry": settings.predecessor.entry, "replaces": ""}
