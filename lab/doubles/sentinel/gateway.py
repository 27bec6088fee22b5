"""The MCP server on stdin and stdout: one client, its calls side by side.

Owns: the protocol, permissions, kill switch, rate limits, and one metrics sample and one audit row a call.
Deliberately does not: end on SIGTERM; only the end of stdin ends it (`reference/sentinel.md`).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from typing import Any, cast

from .audit import AuditLog, Row, now
from .catalogue import Catalogue
from .configuration import Limits, Role
from .metrics import Metrics
from .problems import CallRefused
from .session import Client
from .stdio_backend import Message, Progress

PROTOCOL_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
SERVER_INFO = {"name": "sentinel-gateway", "version": "0.1.0"}
_LINE_LIMIT_BYTES = 16 * 1024 * 1024
_LAST_CALLS_SECONDS = 1.0
_MINUTE_SECONDS = 60.0
_RATE_LIMITED, _KILLED = -32004, -32005
"""The gateway's own codes, read in its source (`src/protocol/jsonrpc.rs`)."""


class RateLimits:
    """A bucket for each tool, full again a minute after it was last filled; a reload begins with full ones."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buckets: dict[str, tuple[float, int]] = {}

    def exceeded(self, tool: str) -> bool:
        most = self._limits.per_tool.get(tool, self._limits.default_per_minute)
        moment = time.monotonic()
        filled, left = self._buckets.get(tool, (moment, most))
        if moment - filled >= _MINUTE_SECONDS:
            filled, left = moment, most
        self._buckets[tool] = (filled, max(0, left - 1))
        return left == 0


class Gateway:
    def __init__(
        self, catalogue: Catalogue, metrics: Metrics, audit: AuditLog | None, client: Client, role: Role, limits: Limits
    ) -> None:
        self._catalogue = catalogue
        self._metrics = metrics
        self._audit = audit
        self._client = client
        self._role = role
        self._running: dict[str, asyncio.Task[None]] = {}
        self.take(limits)

    def take(self, limits: Limits) -> None:
        """Take over another kill switch and other rate limits, for the next call and the next list (SIGHUP)."""
        self._limits, self._rates = limits, RateLimits(limits)

    async def serve(self) -> None:
        """Answers until stdin ends, then gives running calls one more second."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_LINE_LIMIT_BYTES)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            if line.strip():
                self._received(line)
        running = list(self._running.values())
        if running:
            await asyncio.wait(running, timeout=_LAST_CALLS_SECONDS)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _received(self, line: bytes) -> None:
        try:
            message: Message = json.loads(line)
        except ValueError:
            self._answer(None, error={"code": -32700, "message": "Parse error"})
            return
        method, parameters = message.get("method"), cast("Message", message.get("params") or {})
        if "id" not in message:
            if method == "notifications/cancelled" and (task := self._running.get(repr(parameters.get("requestId")))):
                task.cancel()
        elif method == "initialize":
            requested = parameters.get("protocolVersion")
            version = requested if requested in PROTOCOL_VERSIONS else PROTOCOL_VERSIONS[-1]
            hello: Message = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": SERVER_INFO}
            self._answer(message["id"], result=hello)
        elif method == "ping":
            self._answer(message["id"], result={})
        elif method == "tools/list":
            self._answer(message["id"], result={"tools": self._listed()})
        elif method == "tools/call":
            self._running[repr(message["id"])] = asyncio.create_task(self._call(message["id"], parameters))
        elif method is not None:
            self._answer(message["id"], error={"code": -32601, "message": "Method not found"})

    def _listed(self) -> list[Message]:
        if not self._role.may("tools.read"):
            return []
        return [tool for tool in self._catalogue.tools() if self._is_listed(str(tool.get("name", "")))]

    def _is_listed(self, tool: str) -> bool:
        return tool not in self._role.denied_tools and self._killed(tool) is None

    def _killed(self, tool: str) -> str | None:
        """The kill switch's refusal of a tool, which it hides from the list as well."""
        owner = self._catalogue.owner(tool)
        if tool in self._limits.disabled_tools:
            return f"Tool is disabled: {tool}"
        if owner is not None and owner.settings.name in self._limits.disabled_backends:
            return f"Backend is disabled: {owner.settings.name}"
        return None

    async def _call(self, own: object, parameters: Message) -> None:
        tool = str(parameters.get("name", ""))
        arguments = cast("Message", parameters.get("arguments") or {})
        meta = dict(cast("Message", parameters.get("_meta") or {}))
        token = meta.pop("progressToken", None)
        owner = self._catalogue.owner(tool)
        started, at = time.monotonic(), now()
        refusal: CallRefused | None = None
        answer: Message | None = None
        try:
            progress = None if token is None else self._progress(token)
            answer = {"result": await self._checked_call(tool, arguments, meta, progress)}
        except CallRefused as error:
            refusal = error
            answer = {"error": {"code": error.code, "message": str(error)}}
        except asyncio.CancelledError:
            refusal = CallRefused("cancelled", "cancelled by the client")
        finally:
            self._running.pop(repr(own), None)
        seconds = time.monotonic() - started
        self._metrics.request(tool, seconds, refusal.kind if refusal else None)
        if self._audit is not None:
            self._audit.add(
                Row(
                    request_id=uuid.uuid4(),
                    timestamp=at,
                    client_subject=self._client.subject,
                    client_role=self._client.role,
                    tool_name=tool,
                    backend_name=owner.settings.name if owner else None,
                    request_args=json.dumps(arguments),
                    response_status="error" if refusal else "success",
                    error_message=str(refusal) if refusal else None,
                    latency_ms=round(seconds * 1000),
                )
            )
        # Counted first: whoever has the answer finds the call in the metrics.
        if answer is not None:
            self._answer(own, **answer)

    async def _checked_call(self, tool: str, arguments: Message, meta: Message, progress: Progress | None) -> Message:
        if not self._role.may("tools.execute") or tool in self._role.denied_tools:
            raise CallRefused("forbidden", f"role {self._client.role!r} may not call {tool!r}")
        owner = self._catalogue.owner(tool)
        if owner is None:
            raise CallRefused("unknown_tool", f"Unknown tool: {tool}", -32602)
        if killed := self._killed(tool):
            raise CallRefused("kill_switch", killed, _KILLED)
        if self._rates.exceeded(tool):
            self._metrics.rate_limit_hit(tool)
            raise CallRefused("rate_limited", f"Rate limit exceeded for tool: {tool}", _RATE_LIMITED)
        return await self._catalogue.call(owner, tool, arguments, meta, progress)

    def _progress(self, token: object) -> Progress:
        def pass_on(parameters: Message) -> None:
            _write(
                {
                    "jsonrpc": "2.0",
                    "method": "notifications/progress",
                    "params": {**parameters, "progressToken": token},
                }
            )

        return pass_on

    def _answer(self, own: object, **outcome: Any) -> None:
        _write({"jsonrpc": "2.0", "id": own, **outcome})


def _write(message: Message) -> None:
    """Writes one line; a client that has closed its end is noticed at stdin's end, not here."""
    try:
        sys.stdout.write(json.dumps(message, separators=(",", ":")) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        pass
