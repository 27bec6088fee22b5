"""The session with an HTTP backend that answers in every way that the specification allows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any

import pytest

from bridge.backend_session import BackendFailed, BackendSession
from bridge.event_stream import event_data
from tests.integration.bridge.odd_http_server import Seen, odd_http_server
from tests.starvation import Stopwatch

LIMIT_BYTES = 100_000


@pytest.fixture
def server() -> Generator[Seen]:
    with odd_http_server() as started:
        yield started


def run(server: Seen, story: Callable[[BackendSession], Awaitable[Any]], path: str = "/mcp") -> Any:
    async def whole() -> Any:
        session = BackendSession(f"{server.url}{path}", {"X-Sentinel-Auth": "key"}, LIMIT_BYTES)
        try:
            return await asyncio.wait_for(story(session), 10)
        finally:
            session.close()

    return asyncio.run(whole())


def call(session: BackendSession, tool: str) -> Awaitable[dict[str, Any]]:
    return session.request("tools/call", {"name": tool})


@pytest.mark.parametrize("tool", ["notes-first", "lines", "open"])
def test_the_answer_is_found_in_any_event_stream(server: Seen, tool: str) -> None:
    stopwatch = Stopwatch()
    assert run(server, lambda session: call(session, tool)) == {"result": {"ok": tool}}
    assert stopwatch.seconds < 3


def test_the_backends_own_request_is_answered(server: Seen) -> None:
    async def story(session: BackendSession) -> None:
        await call(session, "notes-first")
        await asyncio.sleep(0.3)

    run(server, story)
    assert {"jsonrpc": "2.0", "id": "own", "result": {}} in server.messages


def test_the_session_is_opened_once_and_anew_after_it_was_forgotten(server: Seen) -> None:
    async def story(session: BackendSession) -> list[dict[str, Any]]:
        return [await call(session, tool) for tool in ("lines", "forget", "lines", "lines")]

    assert all("result" in answer for answer in run(server, story))
    assert server.methods().count("initialize") == 2
    assert server.methods().count("tools/call") == 5, "the one that the backend refused is repeated"


def test_all_pages_of_the_catalogue_are_one_and_each_tool_has_a_schema(server: Seen) -> None:
    tools = run(server, lambda session: session.tools())
    assert [(tool["name"], tool["inputSchema"]) for tool in tools] == [
        (name, {"type": "object"}) for name in ("first", "second", "third")
    ]
    assert len(server.connections) == 1, "one connection is kept"


def test_a_redirect_is_followed(server: Seen) -> None:
    assert "result" in run(server, lambda session: call(session, "lines"), "/moved")


@pytest.mark.parametrize(
    ("tool", "reason"),
    [
        ("failing", "HTTP 500: broken"),
        ("nan", "its answer is no JSON that the gateway takes"),
        ("cut", "its answer ended without a result"),
    ],
)
def test_a_call_that_fails_is_not_repeated_and_has_its_reason(server: Seen, tool: str, reason: str) -> None:
    with pytest.raises(BackendFailed, match=reason):
        run(server, lambda session: call(session, tool))
    assert server.methods().count("tools/call") == 1


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_the_same_however_the_stream_is_cut(end: str, size: int) -> None:
    text = "\ufeff:c\ndata: 1\ndata:2\n\nid: 5\n\ndata\n\nevent: x\ndata:  3\n\ndata: unfinished".replace("\n", end)
    content = text.encode()

    async def chunks() -> AsyncGenerator[bytes]:
        for at in range(0, len(content), size):
            yield content[at : at + size]

    async def all_events() -> list[bytes]:
        return [data async for data in event_data(chunks())]

    assert asyncio.run(all_events()) == [b"1\n2", b" 3"]
