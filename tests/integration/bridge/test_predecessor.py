"""A client that was open before the cutover: the predecessor's token and names, honoured for a grace period."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from tests.integration.bridge.client import Answer, headers, initialize, message, request, token
from tests.integration.bridge.parts import Bridge, adapted, free_port, http_server, running_bridge, until
from tests.integration.bridge.postgres import Database
from tests.integration.bridge.predecessor_file import ITS, NAMES, RECORDED, Host

OTHERS = {
    "another one of its key": token(**ITS, sub="somebody@example.com"),
    "the recorded one with a letter more": f"{RECORDED}A",
    "none at all": "",
}
WITHOUT_ID = headers(Authorization=f"Bearer {RECORDED}")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, database: Database) -> Generator[tuple[Bridge, Host]]:
    folder, known, port = tmp_path_factory.mktemp("bridge"), tmp_path_factory.mktemp("known"), free_port()
    beta, adapter = adapted("beta", port)
    changes: dict[str, Any] = {**adapter, "predecessor_folder": str(known)}
    with http_server("beta", port), running_bridge(folder, [beta], database.url(), **changes) as bridge:
        yield bridge, Host(known)


@pytest.fixture
def bridge(served: tuple[Bridge, Host]) -> Bridge:
    served[1].write()
    return served[0]


@pytest.fixture
def host(served: tuple[Bridge, Host]) -> Host:
    return served[1]


def opened(bridge: Bridge, bearer: str) -> Answer:
    return request(bridge.url, "POST", initialize(), headers(Authorization=f"Bearer {bearer}"))


@asynccontextmanager
async def session(url: str, bearer: str, mode: Literal["auto", "legacy"] = "auto") -> AsyncGenerator[Client]:
    authorization = {"Authorization": f"Bearer {bearer}"}
    async with (
        httpx2.AsyncClient(headers=authorization, timeout=30) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


async def echoed(client: Client, tool: str) -> str:
    result = await client.call_tool(tool, {"text": "x"})
    return getattr(result.content[0], "text")  # noqa: B009


def metrics(bridge: Bridge) -> dict[str, float]:
    text = request(f"http://127.0.0.1:{bridge.health_port}/metrics", "GET").body.decode()
    samples = (line.rpartition(" ") for line in text.splitlines() if line.startswith("sentinel_grace_"))
    return {name: float(value) for name, _, value in samples}


def test_the_recorded_token_is_accepted_and_its_use_is_counted(bridge: Bridge) -> None:
    before = metrics(bridge)

    async def story() -> None:
        async with session(bridge.url, RECORDED) as client:
            assert await echoed(client, "beta-beta-echo") == "beta:x"

    asyncio.run(story())
    after = metrics(bridge)
    grown = {name: after[name] - before[name] for name in after if name.endswith("_total")}
    assert grown == {"sentinel_grace_sessions_total": 1, "sentinel_grace_calls_total": 1}
    assert after["sentinel_grace_last_use_timestamp_seconds"] == pytest.approx(time.time(), abs=30)
    assert after["sentinel_grace_end_timestamp_seconds"] == pytest.approx(time.time() + 3600, abs=30)


@pytest.mark.parametrize("other", OTHERS)
def test_no_other_token_of_the_predecessors_is_accepted(bridge: Bridge, other: str) -> None:
    answer = opened(bridge, OTHERS[other])
    assert answer.status == 401
    assert "run /mcp" not in answer.json()["error_description"]


def test_after_the_grace_period_the_refusal_says_what_to_do(bridge: Bridge, host: Host) -> None:
    host.write(-1)
    answer = opened(bridge, RECORDED)
    assert (answer.status, "run /mcp in Claude Code" in answer.json()["error_description"]) == (401, True)


def test_the_end_of_the_grace_period_reaches_an_open_session_without_a_restart(bridge: Bridge, host: Host) -> None:
    own = opened(bridge, RECORDED).headers["mcp-session-id"]
    call = message("tools/call", name="beta-beta-echo", arguments={"text": "x"})
    authorized = headers(Authorization=f"Bearer {RECORDED}", Mcp_Session_Id=own)
    assert request(bridge.url, "POST", call, authorized).status == 200
    host.write(-1)
    assert request(bridge.url, "POST", call, authorized).status == 401
    assert opened(bridge, token()).status == 200


def test_a_session_of_the_predecessors_is_of_no_use_to_another_caller(bridge: Bridge) -> None:
    own = opened(bridge, RECORDED).headers["mcp-session-id"]
    for other in (token(sub="predecessor"), token()):
        stolen = headers(Authorization=f"Bearer {other}", Mcp_Session_Id=own)
        assert request(bridge.url, "POST", message("ping"), stolen).status == 404


@pytest.mark.parametrize("text", ["", "{", "[]", '{"tokens": 5}', '{"tokens": [{"sha256": "x"}], "names": []}'])
def test_a_file_that_is_not_whole_accepts_nothing_and_ends_nothing(bridge: Bridge, host: Host, text: str) -> None:
    host.put(text)
    assert (opened(bridge, RECORDED).status, opened(bridge, token()).status) == (401, 200)


def test_without_the_file_nothing_is_accepted(bridge: Bridge, host: Host) -> None:
    (host.folder / "predecessor.json").unlink()
    assert (opened(bridge, RECORDED).status, opened(bridge, token()).status) == (401, 200)


def test_a_session_of_the_predecessors_is_offered_its_names_and_the_gateways_schemas(bridge: Bridge) -> None:
    async def story() -> None:
        async with session(bridge.url, token()) as ours, session(bridge.url, RECORDED) as theirs:
            own = {tool.name: tool for tool in (await ours.list_tools()).tools}
            offered = {tool.name: tool for tool in (await theirs.list_tools()).tools}
        assert {"beta_echo", "beta_slow"} <= own.keys() and not own.keys() & set(NAMES)
        assert offered.keys() == own.keys() - {"beta_echo", "beta_slow"} | {"beta-beta-echo", "beta-beta-slow"}
        assert offered["beta-beta-echo"].input_schema == own["beta_echo"].input_schema

    asyncio.run(story())


def test_either_name_of_a_tool_is_called_in_every_session(bridge: Bridge) -> None:
    async def story() -> None:
        for bearer in (token(), RECORDED):
            async with session(bridge.url, bearer) as client:
                assert [await echoed(client, name) for name in ("beta_echo", "beta-beta-echo")] == ["beta:x"] * 2
                with pytest.raises(MCPError, match="Unknown tool: weather-forecast"):
                    await client.call_tool("weather-forecast", {})

    asyncio.run(story())


def test_a_name_that_two_tools_could_have_is_refused_by_name_and_logged(bridge: Bridge, host: Host) -> None:
    host.write(names=["beta-beta-echo", "beta-beta_echo"])

    async def story() -> None:
        async with session(bridge.url, RECORDED) as client:
            assert "beta_echo" in {tool.name for tool in (await client.list_tools()).tools}
            with pytest.raises(MCPError, match="beta-beta-echo could be any of beta_echo"):
                await client.call_tool("beta-beta-echo", {"text": "x"})

    asyncio.run(story())
    until(lambda: "beta-beta-echo could be any of beta_echo" in bridge.program.log(), "the log has it")


async def notified(bridge: Bridge, session: dict[str, str], seconds: float) -> bool:
    """True where the session's stream says within that time that the tools have changed."""
    async with httpx2.AsyncClient(headers=session, timeout=seconds) as http:
        try:
            async with http.stream("GET", bridge.url) as stream:
                async for line in stream.aiter_lines():
                    if "list_changed" in line:
                        return True
        except httpx2.ReadTimeout:
            pass
    return False


def test_a_client_that_opens_another_session_without_a_list_is_notified_once(bridge: Bridge) -> None:
    """As Claude Code does when another gateway has taken over: it goes on with the tools that it knows."""
    own = headers(Mcp_Session_Id=opened(bridge, token()).headers["mcp-session-id"])
    assert asyncio.run(notified(bridge, own, 5))
    assert not asyncio.run(notified(bridge, own, 2))


def test_a_client_that_has_listed_the_tools_is_not_notified(bridge: Bridge) -> None:
    own = headers(Mcp_Session_Id=opened(bridge, token()).headers["mcp-session-id"])
    assert request(bridge.url, "POST", message("tools/list"), own).status == 200
    assert not asyncio.run(notified(bridge, own, 2))


def test_a_reload_that_changes_the_tools_notifies_every_open_stream(tmp_path: Path, database: Database) -> None:
    port = free_port()
    beta, adapter = adapted("beta", port)
    with http_server("beta", port), running_bridge(tmp_path, [beta], database.url(), **adapter) as bridge:
        in_session = headers(Mcp_Session_Id=opened(bridge, token()).headers["mcp-session-id"])
        before = request(bridge.url, "POST", message("tools/list"), in_session).json()["result"]["tools"]

        async def story() -> list[Any]:
            waiting = asyncio.create_task(notified(bridge, in_session, 10))
            await asyncio.sleep(0.2)
            toml = tmp_path / "sentinel.toml"
            toml.write_text(f'{toml.read_text()}\n[kill_switch]\ndisabled_tools = ["beta_echo"]\n')
            bridge.program.process.send_signal(signal.SIGHUP)
            assert await waiting
            listed = await asyncio.to_thread(request, bridge.url, "POST", message("tools/list"), in_session)
            return listed.json()["result"]["tools"]

        after = asyncio.run(story())
        assert [tool for tool in before if tool["name"] != "beta_echo"] == after


def test_clients_without_a_session_share_one_though_their_requests_have_the_same_ids(bridge: Bridge) -> None:
    """ContextForge gives out no session ids, so a client that began there sends none, and begins no new session."""
    call = message("tools/call", name="beta-beta-slow", arguments={"seconds": 0.3})
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(request, [bridge.url] * 4, ["POST"] * 4, [call] * 4, [WITHOUT_ID] * 4))
    assert [answer.json()["result"]["content"][0]["text"] for answer in answers] == ["beta: slept"] * 4
    assert asyncio.run(notified(bridge, WITHOUT_ID, 5))
    assert request(bridge.url, "POST", message("ping"), headers()).status == 400


def test_a_session_that_began_at_another_gateway_goes_on_under_its_id(bridge: Bridge) -> None:
    began_elsewhere = headers(Mcp_Session_Id="of-another-gateway")
    assert request(bridge.url, "POST", message("tools/list"), began_elsewhere).status == 200
    somebody = headers(Authorization=f"Bearer {token(sub='somebody')}", Mcp_Session_Id="of-another-gateway")
    assert request(bridge.url, "POST", message("tools/list"), somebody).status == 404
    assert request(bridge.url, "DELETE", headers=began_elsewhere).status == 200
    assert request(bridge.url, "POST", message("tools/list"), began_elsewhere).status == 404
    assert request(bridge.url, "POST", message("ping"), headers(Mcp_Session_Id="x" * 257)).status == 404


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_session_of_the_official_client_goes_on_over_every_gateway_on_the_port(
    tmp_path: Path, database: Database, mode: Literal["auto", "legacy"]
) -> None:
    """It begins at a stateless gateway, as ContextForge is; then Sentinel, and another container of it.

    By itself the client agrees on protocol 2026-07-28 there, as Claude Code and ContextForge do.
    """
    port, behind, answers = free_port(), free_port(), list[str]()
    beta, adapter = adapted("beta", behind)
    Host(tmp_path).write(names=["beta-beta_echo"])
    changes: dict[str, Any] = {**adapter, "predecessor_folder": str(tmp_path)}
    sentinels = [running_bridge(tmp_path, [beta], database.url(), port, **changes) for _ in range(2)]

    async def story() -> None:
        with ExitStack() as gateways:
            gateways.enter_context(http_server("beta-beta", port, "stateless"))
            async with session(f"http://127.0.0.1:{port}/mcp", RECORDED, mode) as client:
                answers.append(await echoed(client, "beta-beta_echo"))
                for sentinel in sentinels:
                    await asyncio.to_thread(gateways.close)
                    await asyncio.to_thread(gateways.enter_context, sentinel)
                    answers.append(await echoed(client, "beta-beta_echo"))
                    assert "beta-beta_echo" in {tool.name for tool in (await client.list_tools()).tools}

    with http_server("beta", behind):
        asyncio.run(asyncio.wait_for(story(), 120))
    assert answers == ["beta-beta:x", "beta:x", "beta:x"]


MODERN = headers(Authorization=f"Bearer {RECORDED}", MCP_Protocol_Version="2026-07-28")
ENVELOPE = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "progressToken": 3}


def test_an_answer_of_the_sessionless_protocol_is_whole(bridge: Bridge) -> None:
    called = message("tools/call", name="beta-beta-echo", arguments={"text": "x"}, _meta=ENVELOPE)
    assert request(bridge.url, "POST", called, MODERN).json()["result"]["resultType"] == "complete"
    listed = request(bridge.url, "POST", message("tools/list", _meta=ENVELOPE), MODERN).json()["result"]
    assert (listed["resultType"], listed["ttlMs"], listed["cacheScope"]) == ("complete", 0, "private")
    unknown = request(bridge.url, "POST", message("prompts/list", _meta=ENVELOPE), MODERN)
    assert unknown.json()["error"]["code"] == -32601


def test_nobody_begins_with_the_sessionless_protocol(bridge: Bridge) -> None:
    assert request(bridge.url, "POST", message("server/discover", _meta=ENVELOPE), MODERN).status == 400
    ours = headers(MCP_Protocol_Version="2026-07-28")
    assert request(bridge.url, "POST", message("tools/list", _meta=ENVELOPE), ours).status == 400


def test_a_subscription_is_acknowledged_and_notified_of_the_tools(bridge: Bridge) -> None:
    listen = message("subscriptions/listen", "listen:0", notifications={"toolsListChanged": True}, _meta=ENVELOPE)

    async def story() -> list[Any]:
        events: list[Any] = []
        async with (
            httpx2.AsyncClient(headers=MODERN, timeout=10) as http,
            http.stream("POST", bridge.url, json=listen) as stream,
        ):
            async for line in stream.aiter_lines():
                events += [json.loads(line[6:])] if line.startswith("data: ") else []
                if len(events) == 2:
                    break
        return events

    events = asyncio.run(story())
    methods = ["notifications/subscriptions/acknowledged", "notifications/tools/list_changed"]
    assert [event["method"] for event in events] == methods
    assert {event["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] for event in events} == {"listen:0"}
