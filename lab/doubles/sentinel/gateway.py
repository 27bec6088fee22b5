"""The MCP server on stdin and stdout: one client, one request at a time for the whole process.

Owns: the protocol's states, the order of a call's checks, and one metrics sample and one audit row a call.
Deliberately does not: cancel anything, page its list, or pass on a backend's notifications.
"""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from typing import Any, cast

from .audit import AuditLog, Row, now
from .catalogue import Catalogue
from .configuration import Limits, Role
from .limits import RateLimits
from .log import Log
from .metrics import Metrics
from .pipes import Input, Output
from .problems import BackendFailed, CallRefused
from .protocol import INFO, PROTOCOL_VERSION, Message, kind, read_answer, read_request, written
from .schemas import Schemas
from .session import Client

_NOT_READY, _PARSE, _NO_METHOD, _PARAMS, _INTERNAL = -32002, -32700, -32601, -32602, -32603
_DENIED, _RATE_LIMITED, _KILLED, _CIRCUIT_OPEN = -32003, -32004, -32005, -32007
_ACCEPTED = {"created": ("initialize", "ping"), "initializing": ("notifications/initialized", "ping")}
_LOG = Log("gateway")


class Gateway:
    def __init__(
        self, catalogue: Catalogue, metrics: Metrics, audit: AuditLog | None, client: Client, role: Role, limits: Limits
    ) -> None:
        self._catalogue = catalogue
        self._metrics = metrics
        self._audit = audit
        self._client = client
        self._role = role
        self._schemas = Schemas(catalogue.tools())
        self._ids = itertools.count(1)
        self._state = "created"
        self.take(limits)

    def take(self, limits: Limits) -> None:
        """Take over another kill switch and other rate limits, for the next call and the next list (SIGHUP)."""
        self._limits, self._rates = limits, RateLimits(limits)

    async def serve(self, stdin: Input, stdout: Output, stopped: asyncio.Event) -> None:
        """Answers one line after the other until stdin ends, or until the signal to stop."""
        stopping = asyncio.create_task(stopped.wait())
        while True:
            reading = asyncio.create_task(stdin.line())
            await asyncio.wait((reading, stopping), return_when=asyncio.FIRST_COMPLETED)
            if stopping.done():
                reading.cancel()
                _LOG.info("Dispatch loop cancelled by shutdown signal")
                break
            line = reading.result()
            if line is None:
                break
            answer = await self._answer(line)
            if answer is not None:
                await stdout.put(written(answer))
        stopping.cancel()
        _LOG.info("MCP state -> Closed (input channel closed)")

    async def _answer(self, line: str) -> Message | None:
        try:
            request = read_request(line)
        except ValueError as error:
            _LOG.warn("Failed to parse JSON-RPC request", error=error)
            return _error(None, _PARSE, f"Parse error: {error}")
        own, method = request.id, request.method
        if method not in _ACCEPTED.get(self._state, (method,)):
            return None if own is None else _error(own, _NOT_READY, "Server not initialized")
        if method == "initialize":
            return self._initialize(own, request.params)
        if method == "notifications/initialized":
            self._state = "operational"
            _LOG.info("MCP state -> Operational")
            return None
        if own is None:
            return None
        if method == "tools/list":
            return {"jsonrpc": "2.0", "id": own, "result": {"tools": self._listed()}}
        if method == "tools/call":
            return {"jsonrpc": "2.0", **await self._call(request.params), "id": own}
        if method == "ping":
            return {"jsonrpc": "2.0", "id": own, "result": {}}
        return _error(own, _NO_METHOD, f"Method not found: {method}")

    def _initialize(self, own: int | str | None, given: Any) -> Message:
        """The one handshake: a refused one uses it up as well."""
        self._state = "initializing"
        try:
            client = _client_info({} if given is None else given)
        except ValueError as error:
            answer = _error(own, _PARAMS, f"Invalid initialize params: {error}")
        else:
            fields = {"client_name": client["name"], "client_version": client["version"]}
            Log("protocol::mcp").info("MCP initialize from client", **fields)
            result: Message = {"protocolVersion": PROTOCOL_VERSION, "capabilities": {"tools": {}}, "serverInfo": INFO}
            result["instructions"] = "Sentinel Gateway - governed MCP tool access"
            answer = {"jsonrpc": "2.0", "id": own, "result": result}
        _LOG.info("MCP state -> Initializing")
        return answer

    def _listed(self) -> list[Message]:
        tools = self._catalogue.tools()
        return [tool for tool in tools if self._role.may_see(tool["name"]) and self._killed(tool["name"]) is None]

    def _killed(self, tool: str) -> str | None:
        """The kill switch's refusal of a tool, which it hides from the list as well."""
        owner = self._catalogue.owner(tool)
        if tool in self._limits.disabled_tools:
            return f"Tool is disabled: {tool}"
        return f"Backend is disabled: {owner}" if owner in self._limits.disabled_backends else None

    async def _call(self, parameters: Any) -> Message:
        """A call's answer without its id. What was refused before the backend counts as 0 s."""
        began = time.monotonic()
        given = cast("Message", parameters).get("name") if isinstance(parameters, dict) else None
        tool = given if isinstance(given, str) else None
        try:
            if tool is not None:
                self._check(tool, cast("Message", parameters))
            answer = await self._dispatch(tool, parameters)
            status = "error" if "error" in answer else "success"
        except CallRefused as refusal:
            answer, status = cast("Message", {"error": refusal.error}), refusal.status
        seconds = time.monotonic() - began if status in ("success", "error") else 0.0
        name = "unknown" if tool is None else tool
        self._metrics.request(name, seconds, None if status == "success" else status)
        if self._audit is not None:
            row = Row(
                request_id=uuid.uuid4(),
                timestamp=now(),
                client_subject=self._client.subject,
                client_role=self._client.role,
                tool_name=name,
                backend_name=self._catalogue.owner(name) or "unknown",
                request_args=None if parameters is None else written(cast("object", parameters)),
                response_status=status,
                error_message=answer["error"]["message"] if "error" in answer else None,
                latency_ms=int(seconds * 1000),
            )
            self._audit.add(row)
        return answer

    def _check(self, tool: str, parameters: Message) -> None:
        if killed := self._killed(tool):
            raise CallRefused("killed", _KILLED, killed)
        if (seconds := self._rates.retry_after(tool)) is not None:
            self._metrics.rate_limit_hit(tool)
            said = f"Rate limit exceeded for tool: {tool}"
            raise CallRefused("rate_limited", _RATE_LIMITED, said, {"retryAfter": seconds})
        if not self._role.may_call(tool):
            raise CallRefused("denied", _DENIED, f"Permission denied for tool: {tool}")
        if "arguments" in parameters and (faults := self._schemas.faults(tool, parameters["arguments"])):
            raise CallRefused("invalid_args", _PARAMS, f"Invalid arguments for tool {tool}: {faults}")
        owner = self._catalogue.owner(tool)
        breaker = self._catalogue.breakers.get(owner or "")
        if breaker is not None and breaker.is_open():
            raise CallRefused("circuit_open", _CIRCUIT_OPEN, f"Backend circuit open: {owner}")

    async def _dispatch(self, tool: str | None, parameters: Any) -> Message:
        """The backend's own answer, unchanged; raises CallRefused."""
        if tool is None:
            raise CallRefused("error", _PARAMS, "Missing tool name in params")
        owner = self._catalogue.owner(tool)
        if owner is None:
            raise CallRefused("error", _PARAMS, f"Unknown tool: {tool}")
        backend = self._catalogue.backends.get(owner)
        if backend is None:
            _LOG.error("Backend in catalog but not in backends map", backend=owner, tool=tool)
            raise CallRefused("error", _INTERNAL, f"Backend unavailable: {owner}")
        breaker = self._catalogue.breakers[owner]
        request = {"jsonrpc": "2.0", "id": next(self._ids), "method": "tools/call", "params": parameters}
        try:
            text = await backend.exchange(request)
        except BackendFailed as error:
            breaker.note(failed=True)
            _LOG.error("Backend call failed", error=error, backend=owner)
            raise CallRefused("error", _INTERNAL, f"Backend error: {error}") from error
        breaker.note(failed=False)
        try:
            return read_answer(text)
        except ValueError as error:
            _LOG.error("Failed to parse backend response", error=error)
            raise CallRefused("error", _INTERNAL, f"Invalid backend response: {error}") from error


def _client_info(given: Any) -> Message:
    if isinstance(given, list):
        length = len(cast("list[Any]", given))
        raise ValueError(f"invalid length {length}, expected struct InitializeRequestParams with 4 elements")
    if not isinstance(given, dict):
        raise ValueError(f"invalid type: {kind(given)}, expected struct InitializeRequestParams")
    parameters = cast("Message", given)
    for name in ("protocolVersion", "capabilities", "clientInfo"):
        if name not in parameters:
            raise ValueError(f"missing field `{name}`")
    version, client = parameters["protocolVersion"], parameters["clientInfo"]
    if not isinstance(version, str):
        raise ValueError(f"invalid type: {kind(version)}, expected a string")
    for name in ("name", "version"):
        if not isinstance(client, dict) or not isinstance(cast("Message", client).get(name), str):
            raise ValueError(f"missing field `{name}`")
    return cast("Message", client)


def _error(own: int | str | None, code: int, message: str) -> Message:
    return {"jsonrpc": "2.0", "id": own, "error": {"code": code, "message": message}}
