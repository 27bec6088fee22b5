"""The calls, made by the official SDK's client as Claude makes them: one session, the backends side by side.

Owns: turning what happens on the way into one of the six result words.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Literal, cast

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, TextContent

from .expectation import differs, shortened
from .names import Active, offered_name
from .plan import Plan, Question

Result = Literal["ok", "auth", "unreachable", "tool-error", "missing", "differs"]

CONNECT_SECONDS = 15.0
_CONNECTION_CODES = (-32000, -32001)
"""The SDK's "connection closed" and the bridge's "the gateway is not there": the tool was never asked."""


@dataclass(frozen=True)
class Outcome:
    """One backend's result; `tool` is the name as offered, `detail` says more where it is not ok."""

    name: str
    tool: str
    result: Result
    ms: int
    detail: str = ""


class _Refusals:
    """Remembers that the gateway refused the token: the SDK tells a 401 apart from other failures by text only."""

    def __init__(self) -> None:
        self.seen = False

    async def note(self, response: httpx2.Response) -> None:
        self.seen = self.seen or response.status_code in (401, 403)


async def verify(url: str, token: str, plan: Plan) -> list[Outcome]:
    """Asks every question of the plan; never raises for what the gateway does."""
    refusals = _Refusals()
    began = time.monotonic()
    outcomes: list[Outcome] | None = None
    try:
        longest = max(question.timeout_seconds for question in plan.backends)
        async with httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx2.Timeout(CONNECT_SECONDS, read=longest + CONNECT_SECONDS),
            event_hooks={"response": [refusals.note]},
        ) as http:
            async with asyncio.timeout(CONNECT_SECONDS) as limit:
                async with Client(streamable_http_client(url, http_client=http)) as client:
                    offered = await _offered(client)
                    limit.reschedule(None)
                    outcomes = list(
                        await asyncio.gather(*(_ask(client, plan.active, item, offered) for item in plan.backends))
                    )
    except Exception as error:  # The SDK's task groups wrap whatever went wrong; any of it means: no session.
        if outcomes is None:
            return _all_failed(plan, refusals.seen, error, began)
    assert outcomes is not None
    return outcomes


async def _offered(client: Client) -> set[str]:
    names: set[str] = set()
    cursor: str | None = None
    while True:
        page = await client.list_tools(cursor=cursor)
        names |= {tool.name for tool in page.tools}
        cursor = page.next_cursor
        if not cursor:
            return names


async def _ask(client: Client, active: Active, question: Question, offered: set[str]) -> Outcome:
    tool = offered_name(active, question.name, question.tool)
    began = time.monotonic()

    def outcome(result: Result, detail: str = "") -> Outcome:
        return Outcome(question.name, tool, result, round((time.monotonic() - began) * 1000), detail)

    if tool not in offered:
        return outcome("missing", "the gateway does not offer this tool")
    try:
        async with asyncio.timeout(question.timeout_seconds):
            answer = await client.call_tool(tool, question.arguments)
    except TimeoutError:
        return outcome("unreachable", f"no answer within {question.timeout_seconds:g} s")
    except MCPError as error:
        return outcome("unreachable" if error.code in _CONNECTION_CODES else "tool-error", str(error))
    except Exception as error:  # A transport that breaks down under one call must not hide the other six.
        return outcome("unreachable", _cause(error))
    text = _text(answer)
    if answer.is_error:
        return outcome("tool-error", shortened(text))
    difference = differs(question.expect, text, answer.structured_content)
    return outcome("differs", difference) if difference else outcome("ok")


def _text(answer: CallToolResult) -> str:
    return "\n".join(part.text for part in answer.content if isinstance(part, TextContent))


def _all_failed(plan: Plan, refused: bool, error: BaseException, began: float) -> list[Outcome]:
    result: Result = "auth" if refused else "unreachable"
    detail = "the gateway refuses the token" if refused else _cause(error)
    ms = round((time.monotonic() - began) * 1000)
    return [
        Outcome(question.name, offered_name(plan.active, question.name, question.tool), result, ms, detail)
        for question in plan.backends
    ]


def _cause(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return shortened(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
