"""The calls, made by the official SDK's client as Claude makes them: one session, one backend after the other.

The gateway takes one call at a time: a call beside one that hangs would wait, and be counted as unanswered too.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

import httpx2
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, TextContent

from hostctl.mcp.probe import Probe

from .expectation import differs, shortened
from .names import Active, offered_name
from .outcome import Outcome, Result
from .remote_program import RemoteProgram

Value = TypeVar("Value")

CONNECT_SECONDS = 15.0
_CONNECTION_CODES = (-32000, -32001)
"""The SDK's "connection closed" and the bridge's "the gateway is not there": the tool was never called."""
_SCHEMA_NOTES = ("$schema", "title", "description", "additionalProperties", "default", "examples")
"""Members that a gateway adds or drops without changing the meaning for the caller."""
_INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "sentinel-cutover-verify", "version": "1"},
    },
}


@dataclass(frozen=True)
class HttpEndpoint:
    """A gateway over HTTP: its address, the headers of every request, and the transport of the connections."""

    url: str
    headers: Mapping[str, str]
    transport: httpx2.AsyncBaseTransport | None = None


Endpoint = HttpEndpoint | StdioServerParameters | RemoteProgram


@dataclass(frozen=True)
class OfferedTool:
    """One entry of a gateway's list of tools."""

    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True)
class Session:
    """An open session; `offered` is the gateway's list as it came, in which a name may stand twice."""

    client: Client
    offered: Sequence[OfferedTool] = ()

    @property
    def tools(self) -> dict[str, str]:
        """The hash of each tool's input schema."""
        return schema_hashes(self.offered)


class NoSession(Exception):
    """No session could be opened, or the open one broke down."""

    def __init__(self, result: Literal["auth", "unreachable"], detail: str) -> None:
        super().__init__(detail)
        self.result: Literal["auth", "unreachable"] = result
        self.detail = detail


class _Refusals:
    """Records that the gateway refused the token: the SDK distinguishes a 401 from other failures by text only."""

    def __init__(self) -> None:
        self.seen = False

    async def note(self, response: httpx2.Response) -> None:
        self.seen = self.seen or response.status_code in (401, 403)


async def with_session(endpoint: Endpoint, longest: float, work: Callable[[Session], Awaitable[Value]]) -> Value:
    """The result of `work` in a new session, of which no call takes more than `longest` seconds. Raises NoSession."""
    refusals, results = _Refusals(), list[Value]()
    try:
        if isinstance(endpoint, HttpEndpoint):
            async with _http(endpoint, longest, refusals) as http:
                results.append(await _worked(Client(streamable_http_client(endpoint.url, http_client=http)), work))
        else:
            program = endpoint.transport() if isinstance(endpoint, RemoteProgram) else endpoint
            results.append(await _worked(Client(program), work))
    except Exception as error:  # The SDK's task groups wrap every error; each of them means: no session.
        if not results:
            if refusals.seen:
                raise NoSession("auth", "the gateway refuses the token") from None
            raise NoSession("unreachable", _cause(error)) from None
    return results[0]


async def _worked(connecting: Client, work: Callable[[Session], Awaitable[Value]]) -> Value:
    results = list[Value]()
    try:
        async with asyncio.timeout(CONNECT_SECONDS) as limit, connecting as client:
            tools = await _offered(client)
            limit.reschedule(None)
            results.append(await work(Session(client, tools)))
    except Exception:
        if not results:
            raise
    return results[0]


async def refuses_token(endpoint: HttpEndpoint) -> bool:
    """True when the gateway refuses an `initialize` with these headers (401, 403); raises NoSession without answer."""
    headers = {**endpoint.headers, "Accept": "application/json, text/event-stream"}
    try:
        async with httpx2.AsyncClient(transport=endpoint.transport, timeout=CONNECT_SECONDS) as http:
            answer = await http.post(endpoint.url, json=_INITIALIZE, headers=headers)
    except httpx2.HTTPError as error:
        raise NoSession("unreachable", _cause(error)) from None
    return answer.status_code in (401, 403)


async def call_all(session: Session, active: Active, probes: Sequence[Probe]) -> list[Outcome]:
    """The outcomes of all probes, each with its own limit, in one session; never raises for an error of a backend."""
    return [await _call(session, active, probe) for probe in probes]


def all_failed(active: Active, probes: Sequence[Probe], error: NoSession, ms: int = 0) -> list[Outcome]:
    """The outcomes of all probes without a session."""
    return [
        Outcome(probe.name, offered_name(active, probe.name, probe.tool), error.result, ms, error.detail)
        for probe in probes
    ]


def longest_timeout(probes: Sequence[Probe]) -> float:
    return max(probe.timeout_seconds for probe in probes)


def all_timeouts(probes: Sequence[Probe]) -> float:
    """Seconds that `call_all` takes at most."""
    return sum(probe.timeout_seconds for probe in probes)


def schema_hashes(offered: Sequence[OfferedTool]) -> dict[str, str]:
    return {tool.name: schema_hash(tool.schema) for tool in offered}


def schema_hash(schema: Mapping[str, Any]) -> str:
    """A tool's input schema as 16 hex digits, the same for two spellings of the same names, types and requirements."""
    return hashlib.sha256(json.dumps(_normal(schema), sort_keys=True).encode()).hexdigest()[:16]


def _normal(schema: Any) -> Any:
    if isinstance(schema, dict):
        table = cast("dict[str, Any]", schema)
        return {key: _normal(value) for key, value in table.items() if key not in _SCHEMA_NOTES and value is not None}
    if isinstance(schema, list):
        rows = [_normal(item) for item in cast("list[Any]", schema)]
        return sorted(rows, key=lambda item: json.dumps(item, sort_keys=True))
    return schema


def _http(endpoint: HttpEndpoint, longest: float, refusals: _Refusals) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        headers=dict(endpoint.headers),
        timeout=httpx2.Timeout(CONNECT_SECONDS, read=longest + CONNECT_SECONDS),
        event_hooks={"response": [refusals.note]},
        transport=endpoint.transport,
    )


async def _offered(client: Client) -> list[OfferedTool]:
    tools: list[OfferedTool] = []
    cursor: str | None = None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools += [OfferedTool(tool.name, tool.input_schema) for tool in page.tools]
        cursor = page.next_cursor
        if not cursor:
            return tools


async def _call(session: Session, active: Active, probe: Probe) -> Outcome:
    tool = offered_name(active, probe.name, probe.tool)
    began = time.monotonic()

    def outcome(result: Result, detail: str = "", kind: str = "") -> Outcome:
        return Outcome(probe.name, tool, result, round((time.monotonic() - began) * 1000), detail, kind)

    if tool not in session.tools:
        return outcome("missing", "the gateway does not offer this tool")
    try:
        async with asyncio.timeout(probe.timeout_seconds):
            answer = await session.client.call_tool(tool, probe.arguments)
    except TimeoutError:
        return outcome("unreachable", f"no answer within {probe.timeout_seconds:g} s")
    except MCPError as error:
        return outcome("unreachable" if error.code in _CONNECTION_CODES else "tool-error", str(error))
    except Exception as error:  # A transport that breaks down under one call must not hide the other results.
        return outcome("unreachable", _cause(error))
    text = _text(answer)
    if answer.is_error:
        return outcome("tool-error", shortened(text), "error")
    difference = differs(probe.expect, text, answer.structured_content)
    kind = "+".join(sorted({part.type for part in answer.content}))
    return outcome("differs", difference, kind) if difference else outcome("ok", kind=kind)


def _text(answer: CallToolResult) -> str:
    return "\n".join(part.text for part in answer.content if isinstance(part, TextContent))


def _cause(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return shortened(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
