"""Several clients over one gateway: each gets its own answers, and no others."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from tests.integration.bridge.client import headers, initialize, message, request, token
from tests.integration.bridge.parts import (
    Bridge,
    adapted,
    free_port,
    http_server,
    running_bridge,
    stdio_backend,
    until,
)
from tests.integration.bridge.postgres import Database


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory, database: Database) -> Generator[Bridge]:
    folder, port = tmp_path_factory.mktemp("bridge"), free_port()
    beta, adapter = adapted("beta", port)
    backends = [stdio_backend("alpha"), beta]
    with http_server("beta", port), running_bridge(folder, backends, database.url(), **adapter) as started:
        yield started


@asynccontextmanager
async def session(bridge: Bridge, mode: str = "auto") -> AsyncGenerator[Client]:
    authorization = {"Authorization": f"Bearer {token()}"}
    async with httpx2.AsyncClient(headers=authorization, timeout=30) as http:
        transport = streamable_http_client(bridge.url, http_client=http)
        async with Client(transport, mode=mode) as client:
            yield client


async def text_of(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result
    return getattr(result.content[0], "text")  # noqa: B009


def run(story: Callable[[], Awaitable[None]], limit_seconds: float = 30) -> None:
    async def limited() -> None:
        await asyncio.wait_for(story(), limit_seconds)

    asyncio.run(limited())


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_client_that_sends_server_discover_first_falls_back_and_works(bridge: Bridge, mode: str) -> None:
    async def story() -> None:
        async with session(bridge, mode) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert {"alpha_echo", "beta_echo"} <= names
            assert await text_of(client, "alpha_echo", text="x") == "alpha:x"

    run(story)


def test_server_discover_is_answered_400_with_method_not_found(bridge: Bridge) -> None:
    modern = headers(MCP_Protocol_Version="2026-07-28")
    answer = request(bridge.url, "POST", message("server/discover"), modern)
    assert (answer.status, answer.json()["error"]["code"]) == (400, -32601)


def test_the_catalogue_is_complete_for_the_first_client(bridge: Bridge) -> None:
    assert "the gateway serves 10 tools" in bridge.program.log()


def test_an_answers_body_does_not_wait_until_its_head_is_acknowledged(bridge: Bridge) -> None:
    """A delayed acknowledgement is 40 ms, in every call; the quickest of many shows it, however busy the machine is."""
    connection = http.client.HTTPConnection("127.0.0.1", bridge.port, timeout=10)
    own = request(bridge.url, "POST", initialize(), headers()).headers["mcp-session-id"]
    seconds: list[float] = []
    for _ in range(60):
        began = time.monotonic()
        connection.request("POST", "/mcp", json.dumps(message("ping")), headers(Mcp_Session_Id=own))
        assert connection.getresponse().read()
        seconds.append(time.monotonic() - began)
    connection.close()
    # The kernel acknowledges a connection's first packets at once.
    assert min(seconds[30:]) < 0.03


def test_twenty_sessions_with_the_same_request_ids_get_their_own_answers(bridge: Bridge) -> None:
    async def one(number: int) -> None:
        async with session(bridge, "legacy") as client:
            for turn in range(5):
                texts = [f"{number}-{turn}-{part}" for part in range(4)]
                tools = ["alpha_echo", "beta_echo", "alpha_echo", "beta_echo"]
                answers = await asyncio.gather(
                    *(text_of(client, tool, text=text) for tool, text in zip(tools, texts, strict=True))
                )
                assert answers == [f"{tool[:-5]}:{text}" for tool, text in zip(tools, texts, strict=True)]

    async def story() -> None:
        await asyncio.gather(*(one(number) for number in range(20)))

    run(story, 60)
    assert len(bridge.children()) == 1


@pytest.mark.parametrize("backend", ["alpha", "beta"])
def test_others_wait_for_a_slow_tool_and_each_gets_its_answer(bridge: Bridge, backend: str) -> None:
    """The gateway answers one request at a time, so the bridge gives it one at a time."""

    async def story() -> None:
        async with session(bridge, "legacy") as client, session(bridge, "legacy") as other:
            slow = asyncio.create_task(text_of(client, f"{backend}_slow", seconds=3))
            await asyncio.sleep(0.5)
            for quick in (client, other):
                assert await text_of(quick, f"{backend}_echo", text="x") == f"{backend}:x"
            # Longer than the bridge waits for a plain answer: it comes as an event stream.
            assert await slow == f"{backend}: slept"

    run(story)


@pytest.mark.parametrize("backend", ["alpha", "beta"])
def test_a_call_that_reports_its_progress_is_answered_without_it(bridge: Bridge, backend: str) -> None:
    """The gateway drops a backend's progress notifications, so that none reaches the bridge or a client."""

    async def story() -> None:
        async with session(bridge, "legacy") as client:
            seen: list[float] = []

            async def note(progress: float, total: float | None, message: str | None) -> None:
                seen.append(progress)

            counted = await client.call_tool(f"{backend}_count", {"to": 3}, progress_callback=note)
            assert getattr(counted.content[0], "text") == f"{backend}: counted to 3"  # noqa: B009
            assert seen == []

    run(story)


def test_a_cancelled_call_is_answered_though_the_gateway_goes_on_with_it(bridge: Bridge, tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    own = request(bridge.url, "POST", initialize(), headers()).headers["mcp-session-id"]
    in_session = headers(Mcp_Session_Id=own)

    async def story() -> None:
        call = message("tools/call", 5, name="alpha_slow", arguments={"seconds": 3, "diary": str(diary)})
        pending = asyncio.create_task(asyncio.to_thread(request, bridge.url, "POST", call, in_session))
        await asyncio.to_thread(until, lambda: diary.exists() and "begun" in diary.read_text(), "the call begins")
        cancel = message("notifications/cancelled", None, requestId=5, reason="enough")
        assert (await asyncio.to_thread(request, bridge.url, "POST", cancel, in_session)).status == 202
        assert b"-32800" in (await pending).body
        assert "finished" not in diary.read_text()
        # The gateway knows no cancellation: a call to a stdio backend ends by itself.
        await asyncio.to_thread(until, lambda: "finished" in diary.read_text(), "the backend ends it")

    run(story)


def test_a_tools_own_error_and_an_unknown_tool_come_through_as_they_are(bridge: Bridge) -> None:
    async def story() -> None:
        async with session(bridge) as client:
            assert (await client.call_tool("alpha_fail", {})).is_error
            with pytest.raises(MCPError, match="Unknown tool: nope"):
                await client.call_tool("nope", {})

    run(story)


def test_a_deleted_session_is_gone_and_its_stream_ends(bridge: Bridge) -> None:
    own = request(bridge.url, "POST", initialize(), headers()).headers["mcp-session-id"]
    in_session = headers(Mcp_Session_Id=own)

    async def story() -> None:
        async with (
            httpx2.AsyncClient(headers=in_session, timeout=10) as http,
            http.stream("GET", bridge.url) as stream,
        ):
            assert (await http.delete(bridge.url)).status_code == 200
            assert await stream.aread() == b""
            assert (await http.post(bridge.url, json=message("tools/list"))).status_code == 404

    run(story)


def test_an_idle_session_ends_and_one_with_an_open_stream_does_not(tmp_path: Path, database: Database) -> None:
    with running_bridge(tmp_path, [], database.url(), session_idle_seconds=0.5) as short:
        first, second = (
            headers(Mcp_Session_Id=request(short.url, "POST", initialize(), headers()).headers["mcp-session-id"])
            for _ in range(2)
        )

        async def story() -> None:
            async with (
                httpx2.AsyncClient(headers=second, timeout=30) as http,
                http.stream("GET", short.url) as stream,
            ):
                assert stream.status_code == 200
                await asyncio.sleep(1.5)
                ping = message("ping")
                assert (await asyncio.to_thread(request, short.url, "POST", ping, first)).status == 404
                assert (await asyncio.to_thread(request, short.url, "POST", ping, second)).status == 200

        run(story)
