"""Whatever a client sends gets a JSON-RPC answer or an HTTP 4xx, and nobody else notices."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.integration.bridge.client import Answer, headers, initialize, message, request
from tests.integration.bridge.parts import Bridge, free_port, program, until, write_bridge_json
from tests.integration.bridge.test_waits import ODD_GATEWAY

CALL = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"well","arguments":{"a":%s}}}'
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Generator[Bridge]:
    folder, port = tmp_path_factory.mktemp("bridge"), free_port()
    file = write_bridge_json(folder, port, [sys.executable, str(ODD_GATEWAY)], "unused", call_seconds=5)
    with program(sys.executable, "-m", "bridge", "--config", file) as started:
        until(lambda: "MCP is served" in started.log(), "it serves", 30)
        yield Bridge(port, 0, started, file)
        assert "Traceback" not in started.log()


@pytest.fixture(scope="module")
def session(bridge: Bridge) -> dict[str, str]:
    return headers(Mcp_Session_Id=request(bridge.url, "POST", initialize(), headers()).headers["mcp-session-id"])


def sent(bridge: Bridge, session: dict[str, str], body: bytes) -> Answer:
    answer = request(bridge.url, "POST", body, session)
    assert answer.status == 202 or 400 <= answer.status < 500 or {"result", "error"} & set(answer.json()), answer
    return answer


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (r'"\ud83d"', 200),
        (r'"\udc00\ud800"', 200),
        ("12345678901234567890123", 200),
        ("[" * 90 + "]" * 90, 200),
        ("NaN", 400),
        ("-Infinity", 400),
        ("1e400", 400),
        ("9" * 400, 400),
        ("9" * 5000, 400),
        ("[" * 101 + "]" * 101, 400),
        ("[" * 100_000, 400),
    ],
    ids=[
        "half",
        "halves",
        "long",
        "deep",
        "nan",
        "infinity",
        "1e400",
        "400-digits",
        "5000-digits",
        "deeper",
        "deepest",
    ],
)
def test_arguments_are_strict_json_or_refused(bridge: Bridge, session: dict[str, str], value: str, status: int) -> None:
    answer = sent(bridge, session, (CALL % value).encode())
    assert answer.status == status
    assert "error" in answer.json() if status == 400 else "result" in answer.json()


@pytest.mark.parametrize(
    "body",
    [
        b"[" + json.dumps(message("ping")).encode() + b"]",
        b'{"jsonrpc":"2.0","id":null,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":{},"method":"ping"}',
        b'{"jsonrpc":"2.0","id":true,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":1,"method":["ping"]}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[1]}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":[1]}}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":"\xff"}',
        json.dumps(message("ping")).encode("utf-16"),
    ],
    ids=["batch", "null", "object", "boolean", "method", "params", "meta", "no-utf-8", "utf-16"],
)
def test_what_is_no_request_is_refused(bridge: Bridge, session: dict[str, str], body: bytes) -> None:
    answer = sent(bridge, session, body)
    assert answer.status == 400 and "error" in answer.json()


@pytest.mark.parametrize("own_id", [-1, 1.5, 2**70, "", "x" * 1000, "\ufffd"])
def test_an_odd_id_comes_back_as_it_was(bridge: Bridge, session: dict[str, str], own_id: Any) -> None:
    answer = sent(bridge, session, json.dumps({**message("tools/call", name="well"), "id": own_id}).encode())
    assert answer.json()["id"] == own_id and "result" in answer.json()


def test_a_body_of_20_mb_is_refused_to_a_client_that_sends_it_whole(bridge: Bridge, session: dict[str, str]) -> None:
    assert sent(bridge, session, b'"' + b"x" * 20_000_000 + b'"').status == 413


@settings(max_examples=150, deadline=None)
@given(value=VALUES)
@example(value="\ud83d")
def test_any_arguments_are_answered(bridge: Bridge, session: dict[str, str], value: Any) -> None:
    sent(bridge, session, (CALL % json.dumps(value)).encode())


@settings(max_examples=150, deadline=None)
@given(
    body=st.fixed_dictionaries(
        {"jsonrpc": st.just("2.0") | VALUES},
        optional={"id": VALUES, "method": VALUES | st.just("tools/call"), "params": VALUES},
    )
)
def test_any_object_is_answered(bridge: Bridge, session: dict[str, str], body: Any) -> None:
    sent(bridge, session, json.dumps(body).encode())


@settings(max_examples=100, deadline=None)
@given(body=st.binary())
def test_any_bytes_are_answered(bridge: Bridge, session: dict[str, str], body: bytes) -> None:
    sent(bridge, session, body)


def test_the_one_gateway_served_all_of_it(bridge: Bridge, session: dict[str, str], tmp_path: Path) -> None:
    """The last of this file."""
    assert "result" in sent(bridge, session, (CALL % "1").encode()).json()
    assert "serves again" not in bridge.program.log()
