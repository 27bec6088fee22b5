"""HTTP backends that do not accept connections yet when the gateway would start, as after a reboot of the host."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.integration.bridge.client import headers, initialize, message, request
from tests.integration.bridge.odd_http_server import odd_http_server
from tests.integration.bridge.parts import (
    Bridge,
    adapted,
    free_port,
    gateway,
    gateway_command,
    http_server,
    program,
    running_bridge,
    stdio_backend,
    until,
    write_bridge_json,
    write_gateway_toml,
)
from tests.integration.bridge.postgres import Database
from tests.starvation import Stopwatch


def opened(bridge: Bridge) -> dict[str, str]:
    return headers(Mcp_Session_Id=request(bridge.url, "POST", initialize(), headers()).headers["mcp-session-id"])


def ended(bridge: Bridge, session: dict[str, str]) -> None:
    assert request(bridge.url, "DELETE", None, session).status == 200


def tools(bridge: Bridge) -> set[str]:
    """The names of the tools, in a session of its own that ends."""
    session = opened(bridge)
    listed = request(bridge.url, "POST", message("tools/list", 2), session).json()["result"]["tools"]
    ended(bridge, session)
    return {tool["name"] for tool in listed}


def good(answer: dict[str, Any]) -> dict[str, Any] | None:
    return answer if "result" in answer else None


def test_the_gateway_starts_once_its_backend_answers_and_health_names_the_pending_one(
    tmp_path: Path, database: Database
) -> None:
    """A former bug: the sidecar came a moment after the gateway, and its tools were missing for good."""
    backend, port, health, own_health = free_port(), free_port(), free_port(), free_port()
    toml, own = adapted("late", backend)
    file = write_gateway_toml(tmp_path / "sentinel.toml", [toml], own_health)
    main = gateway(gateway_command(file), own_health, ["late"])
    waiting = own | {"health_listen": f"127.0.0.1:{health}"}
    file = write_bridge_json(tmp_path, port, [], database.url(), {"main": main}, **waiting)
    with program(sys.executable, "-m", "bridge", "--config", file) as started:
        bridge = Bridge(port, health, started, file)
        until(lambda: "the gateway's start waits up to 30 s for late" in started.log(), "it waits")
        answer = request(f"http://127.0.0.1:{health}/health", "GET")
        assert (answer.status, answer.json()) == (503, {"status": "waiting", "backends": ["late"]})
        assert not bridge.children()
        with http_server("late", backend):
            until(lambda: "MCP is served" in started.log(), "it serves", 30)
            assert request(f"http://127.0.0.1:{health}/health", "GET").json() == {"status": "ok"}
            assert "late_echo" in tools(bridge)
        started.process.terminate()
        assert started.process.wait(10) == 0


def test_after_the_limit_it_serves_without_the_missing_backend_and_names_it(tmp_path: Path, database: Database) -> None:
    toml, own = adapted("late", free_port(), 1)
    with running_bridge(tmp_path, [toml], database.url(), **own) as bridge:
        assert tools(bridge) == set()
        assert "no tools within 1 s: the gateway starts without late" in bridge.program.log()


def test_a_backend_with_three_pages_of_tools_is_listed_whole(tmp_path: Path, database: Database) -> None:
    """The gateway reads the first page only."""
    with odd_http_server() as server:
        toml, own = adapted("paging", urlsplit(server.url).port or 0)
        with running_bridge(tmp_path, [toml], database.url(), **own) as bridge:
            assert tools(bridge) == {"first", "second", "third"}


def test_a_backend_that_comes_later_is_taken_up_and_the_open_session_has_its_tools(
    tmp_path: Path, database: Database
) -> None:
    port = free_port()
    toml, own = adapted("late", port, 0.5)
    with running_bridge(tmp_path, [toml], database.url(), **own, quiet_seconds=4) as bridge:
        session = opened(bridge)
        (before,) = bridge.children()
        with http_server("late", port):
            until(lambda: "new tools of late" in bridge.program.log(), "it is seen")
            assert bridge.children() == [before], "a client has called a moment ago"
            until(lambda: "the gateway restarts, with late" in bridge.program.log(), "it is renewed", 30)
            listed = request(bridge.url, "POST", message("tools/list", 7), session).json()
            assert "late_echo" in {tool["name"] for tool in listed["result"]["tools"]}
            (after,) = bridge.children()
            assert after != before
            assert "the gateway ended" not in bridge.program.log()


def test_a_backend_that_was_restarted_is_called_in_a_new_session(tmp_path: Path, database: Database) -> None:
    port = free_port()
    toml, own = adapted("beta", port)
    echo = message("tools/call", 3, name="beta_echo", arguments={"text": "x"})
    with contextlib.ExitStack() as servers:
        server = servers.enter_context(http_server("beta", port))
        bridge = servers.enter_context(running_bridge(tmp_path, [toml], database.url(), **own))
        session = opened(bridge)
        assert "result" in request(bridge.url, "POST", echo, session).json()
        server.end()
        assert "error" in request(bridge.url, "POST", echo, session).json()
        servers.enter_context(http_server("beta", port))
        answer = until(lambda: good(request(bridge.url, "POST", echo, session).json()), "it is back")
        assert answer["result"]["content"][0]["text"] == "beta:x"


def test_the_gauge_of_a_backend_follows_what_it_answers_to_a_probe(tmp_path: Path, database: Database) -> None:
    port = free_port()
    toml, own = adapted("beta", port)

    def gauge(bridge: Bridge) -> str:
        text = request(f"http://127.0.0.1:{bridge.health_port}/metrics", "GET").body.decode()
        return next(line[-1] for line in text.splitlines() if line.startswith("sentinel_backend_healthy{"))

    with contextlib.ExitStack() as servers:
        server = servers.enter_context(http_server("beta", port))
        bridge = servers.enter_context(running_bridge(tmp_path, [toml], database.url(), **own, probe_seconds=0.3))
        until(lambda: gauge(bridge) == "1", "it is healthy")
        server.end()
        until(lambda: gauge(bridge) == "0", "it is unhealthy")
        assert "the backend beta is unhealthy" in bridge.program.log()
        servers.enter_context(http_server("beta", port))
        until(lambda: gauge(bridge) == "1", "it is healthy again")


def test_a_port_that_serves_no_client_makes_the_whole_unhealthy(tmp_path: Path, database: Database) -> None:
    with running_bridge(tmp_path, [stdio_backend("alpha")], database.url(), allowed_hosts=["elsewhere"]) as bridge:
        health = f"http://127.0.0.1:{bridge.health_port}"
        answer = until(lambda: (got := request(f"{health}/health", "GET")).status == 503 and got, "it is unhealthy")
        reason = "initialize without a token has HTTP status 421 instead of 401"
        assert answer.json() == {"status": "unavailable", "port": reason}
        assert b"\nsentinel_bridge_port_healthy 0\n" in request(f"{health}/metrics", "GET").body


def test_a_gateway_that_starts_while_a_known_backend_is_away_has_its_tools(tmp_path: Path, database: Database) -> None:
    port = free_port()
    toml, own = adapted("beta", port)
    with (
        http_server("beta", port) as server,
        running_bridge(tmp_path, [toml], database.url(), **own) as bridge,
    ):
        session = opened(bridge)
        server.end()
        os.kill(bridge.children()[0], signal.SIGKILL)
        listing = message("tools/list", 7)
        listed = until(
            lambda: request(bridge.url, "POST", listing, session).json().get("result"), "the others are served again"
        )
        assert "beta_echo" in {tool["name"] for tool in listed["tools"]}


def test_a_cancelled_call_is_cancelled_at_its_http_backend_and_the_next_call_follows(
    tmp_path: Path, database: Database
) -> None:
    port, diary = free_port(), tmp_path / "diary"
    toml, own = adapted("beta", port)
    slow = message("tools/call", 5, name="beta_slow", arguments={"seconds": 20, "diary": str(diary)})
    with http_server("beta", port), running_bridge(tmp_path, [toml], database.url(), **own) as bridge:
        session = opened(bridge)
        answers: list[bytes] = []
        waiting = threading.Thread(target=lambda: answers.append(request(bridge.url, "POST", slow, session).body))
        waiting.start()
        until(lambda: diary.exists() and "begun" in diary.read_text(), "the call begins")
        cancel = message("notifications/cancelled", None, requestId=5, reason="enough")
        assert request(bridge.url, "POST", cancel, session).status == 202
        stopwatch = Stopwatch()
        echo = message("tools/call", 6, name="beta_echo", arguments={"text": "x"})
        assert "result" in request(bridge.url, "POST", echo, session).json()
        assert stopwatch.seconds < 5
        waiting.join(5)
        assert b"-32800" in answers[0]
        until(lambda: "cancelled" in diary.read_text(), "the backend hears of it")


def test_nobody_but_the_gateway_may_use_the_adapter(tmp_path: Path, database: Database) -> None:
    port = free_port()
    toml, own = adapted("beta", port)
    with http_server("beta", port), running_bridge(tmp_path, [toml], database.url(), **own):
        answer = request(toml["url"], "POST", message("tools/list"), {"Content-Type": "application/json"})
        assert (answer.status, answer.body) == (401, b"this address is the gateway's alone")


def test_sigterm_while_it_waits_ends_it_at_once(tmp_path: Path) -> None:
    """Also while a name is resolved: Docker's DNS may take 10 s over an unknown one."""
    _, own = adapted("late", free_port())
    file = write_bridge_json(tmp_path, free_port(), ["true"], "unused", **own)
    with program(sys.executable, "-m", "bridge", "--config", file) as started:
        until(lambda: "waits" in started.log(), "it waits")
        stopwatch = Stopwatch()
        started.process.terminate()
        assert started.process.wait(5) == 0, started.log()
        assert stopwatch.seconds < 2
