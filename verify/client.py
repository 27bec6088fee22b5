"""The calls, made by the official SDK's client as Claude makes them: one session, the backends side by side.

Owns: turning what happens on the way into one of the six result words.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, cast

import httpx2
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, TextContent

from .expectation import differs, shortened
from .names import Active, offered_name
from .outcome import Outcome, Result
from .plan import Question
from .remote_program import FarProgram

Value = TypeVar("Value")

CONNECT_SECONDS = 15.0
_CONNECTION_CODES = (-32000, -32001)
"""The SDK's "connection closed" and the bridge's "the gateway is not there": the tool was never asked."""
_SAID_BY_SCHEMAS = ("$schema", "title", "description", "additionalProperties", "default", "examples")
"""What a gateway in between adds or leaves out without another meaning for the caller."""
_HELLO = {
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
class HttpWay:
    """A gateway over HTTP: address, the headers with which it is asked, and whatever carries the connections."""

    url: str
    headers: Mapping[str, str]
    transport: httpx2.AsyncBaseTransport | None = None


Way = HttpWay | StdioServerParameters | FarProgram


@dataclass(frozen=True)
class Session:
    """An open session; `tools` are all tools as offered, with the hash of each one's input schema."""

    client: Client
    tools: Mapping[str, str] = field(default_factory=dict[str, str])


class NoSession(Exception):
    """No session came about, or it broke down as a whole."""

    def __init__(self, result: Literal["auth", "unreachable"], detail: str) -> None:
        super().__init__(detail)
        self.result: Literal["auth", "unreachable"] = result
        self.detail = detail


class _Refusals:
    """Remembers that the gateway refused the token: the SDK tells a 401 apart from other failures by text only."""

    def __init__(self) -> None:
        self.seen = False

    async def note(self, response: httpx2.Response) -> None:
        self.seen = self.seen or response.status_code in (401, 403)


async def with_session(way: Way, longest: float, work: Callable[[Session], Awaitable[Value]]) -> Value:
    """What `work` gives in a session of its own, of which one call takes `longest` at most. Raises NoSession."""
    refusals, done = _Refusals(), list[Value]()
    try:
        if isinstance(way, HttpWay):
            async with _http(way, longest, refusals) as http:
                done.append(await _worked(Client(streamable_http_client(way.url, http_client=http)), work))
        else:
            done.append(await _worked(Client(way.transport() if isinstance(way, FarProgram) else way), work))
    except Exception as error:  # The SDK's task groups wrap whatever went wrong; any of it means: no session.
        if not done:
            if refusals.seen:
                raise NoSession("auth", "the gateway refuses the token") from None
            raise NoSession("unreachable", _cause(error)) from None
    return done[0]


async def _worked(connecting: Client, work: Callable[[Session], Awaitable[Value]]) -> Value:
    result = list[Value]()
    try:
        async with asyncio.timeout(CONNECT_SECONDS) as limit, connecting as client:
            tools = await _offered(client)
            limit.reschedule(None)
            result.append(await work(Session(client, tools)))
    except Exception:
        if not result:
            raise
    return result[0]


async def refused(way: HttpWay) -> bool:
    """Whether the gateway refuses an `initialize` with these headers (401, 403). Raises NoSession without an answer."""
    headers = {**way.headers, "Accept": "application/json, text/event-stream"}
    try:
        async with httpx2.AsyncClient(transport=way.transport, timeout=CONNECT_SECONDS) as http:
            answer = await http.post(way.url, json=_HELLO, headers=headers)
    except httpx2.HTTPError as error:
        raise NoSession("unreachable", _cause(error)) from None
    return answer.status_code in (401, 403)


async def ask_all(session: Session, active: Active, questions: Sequence[Question]) -> list[Outcome]:
    """Every question at once, in one session; never raises for what a backend does."""
    return list(await asyncio.gather(*(_ask(session, active, question) for question in questions)))


def all_failed(active: Active, questions: Sequence[Question], error: NoSession, ms: int = 0) -> list[Outcome]:
    """The outcomes where no session came about."""
    return [
        Outcome(question.name, offered_name(active, question.name, question.tool), error.result, ms, error.detail)
        for question in questions
    ]


def longest_of(questions: Sequence[Question]) -> float:
    return max(question.timeout_seconds for question in questions)


def schema_hash(schema: Mapping[str, Any]) -> str:
    """A tool's input schema as 16 hex digits, the same for two spellings of the same names, types and requirements."""
    return hashlib.sha256(json.dumps(_normal(schema), sort_keys=True).encode()).hexdigest()[:16]


def _normal(found: Any) -> Any:
    if isinstance(found, dict):
        table = cast("dict[str, Any]", found)
        return {
            key: _normal(value) for key, value in table.items() if key not in _SAID_BY_SCHEMAS and value is not None
        }
    if isinstance(found, list):
        rows = [_normal(item) for item in cast("list[Any]", found)]
        return sorted(rows, key=lambda item: json.dumps(item, sort_keys=True))
    return found


def _http(way: HttpWay, longest: float, refusals: _Refusals) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        headers=dict(way.headers),
        timeout=httpx2.Timeout(CONNECT_SECONDS, read=longest + CONNECT_SECONDS),
        event_hooks={"response": [refusals.note]},
        transport=way.transport,
    )


async def _offered(client: Client) -> dict[str, str]:
    tools: dict[str, str] = {}
    cursor: str | None = None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools |= {tool.name: schema_hash(tool.input_schema) for tool in page.tools}
        cursor = page.next_cursor
        if not cursor:
            return tools


async def _ask(session: Session, active: Active, question: Question) -> Outcome:
    tool = offered_name(active, question.name, question.tool)
    began = time.monotonic()

    def outcome(result: Result, detail: str = "", kind: str = "") -> Outcome:
        return Outcome(question.name, tool, result, round((time.monotonic() - began) * 1000), detail, kind)

    if tool not in session.tools:
        return outcome("missing", "the gateway does not offer this tool")
    try:
        async with asyncio.timeout(question.timeout_seconds):
            answer = await session.client.call_tool(tool, question.arguments)
    except TimeoutError:
        return outcome("unreachable", f"no answer within {question.timeout_seconds:g} s")
    except MCPError as error:
        return outcome("unreachable" if error.code in _CONNECTION_CODES else "tool-error", str(error))
    except Exception as error:  # A transport that breaks down under one call must not hide the other six.
        return outcome("unreachable", _cause(error))
    text = _text(answer)
    if answer.is_error:
        return outcome("tool-error", shortened(text), "error")
    difference = differs(question.expect, text, answer.structured_content)
    kind = "+".join(sorted({part.type for part in answer.content}))
    return outcome("differs", difference, kind) if difference else outcome("ok", kind=kind)


def _text(answer: CallToolResult) -> str:
    return "\n".join(part.text for part in answer.content if isinstance(part, TextContent))


def _cause(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return shortened(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
