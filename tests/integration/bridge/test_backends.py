"""HTTP backends that do not accept connections yet when the gateway would start, as after a reboot of the host."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from tests.integration.bridge.client import headers, initialize, message, request
from tests.integration.bridge.parts import (
    Bridge,
    free_port,
    gateway_command,
    http_backend,
    http_server,
    program,
    running_bridge,
    until,
    write_bridge_json,
    write_gateway_toml,
)
from tests.integration.bridge.postgres import Database


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


def waits_for(port: int, seconds: float = 30) -> dict[str, Any]:
    return {"http_backends": {"late": f"127.0.0.1:{port}"}, "http_backends_seconds": seconds}


def test_the_gateway_starts_once_its_backend_accepts_connections_and_health_names_the_pending_one(
    tmp_path: Path, database: Database
) -> None:
    """A former bug: the sidecar came a moment after the gateway, and its tools were missing for good."""
    backend, port, health = free_port(), free_port(), free_port()
    toml = write_gateway_toml(tmp_path / "sentinel.toml", [http_backend("late", backend)], health)
    waiting = waits_for(backend) | {"health_listen": f"127.0.0.1:{health}"}
    file = write_bridge_json(tmp_path, port, gateway_command(toml), database.url(), **waiting)
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


def test_a_start_with_every_backend_there_does_not_wait(tmp_path: Path, database: Database) -> None:
    """Compared with the same start without anything to wait for, on the same machine."""
    backend = free_port()
    with http_server("late", backend):
        took: dict[str, float] = {}
        for which, more in (("waited for", waits_for(backend)), ("not waited for", {})):
            folder = tmp_path / which.replace(" ", "-")
            folder.mkdir()
            began = time.monotonic()
            with running_bridge(folder, [http_backend("late", backend)], database.url(), **more) as bridge:
                took[which] = time.monotonic() - began
                assert "late_echo" in tools(bridge)
                assert "waits" not in bridge.program.log()
        assert took["waited for"] < took["not waited for"] + 1, took


def test_after_the_limit_it_serves_without_the_missing_backend_and_names_it(tmp_path: Path, database: Database) -> None:
    port = free_port()
    with running_bridge(tmp_path, [http_backend("late", port)], database.url(), **waits_for(port, 1)) as bridge:
        assert tools(bridge) == set()
        assert "no connection within 1 s: the gateway starts without late" in bridge.program.log()


def test_a_backend_that_comes_later_is_taken_up_when_the_last_session_has_ended(
    tmp_path: Path, database: Database
) -> None:
    port = free_port()
    with running_bridge(tmp_path, [http_backend("late", port)], database.url(), **waits_for(port, 0.5)) as bridge:
        session = opened(bridge)
        (before,) = bridge.children()
        with http_server("late", port):
            until(lambda: "late accepts connections now" in bridge.program.log(), "it is seen")
            assert bridge.children() == [before], "a session is open"
            ended(bridge, session)
            until(lambda: "the gateway restarts, with late" in bridge.program.log(), "it is renewed")
            assert "late_echo" in tools(bridge), "a client that comes during the new start waits for it"
            (after,) = bridge.children()
            assert after != before
            assert "the gateway ended" not in bridge.program.log()


def test_a_restart_after_a_death_does_not_wait_for_a_backend_that_is_down(tmp_path: Path, database: Database) -> None:
    port = free_port()
    waiting = waits_for(port)
    with (
        http_server("late", port) as server,
        running_bridge(tmp_path, [http_backend("late", port)], database.url(), **waiting) as bridge,
    ):
        session = opened(bridge)
        server.end()
        os.kill(bridge.children()[0], signal.SIGKILL)
        listing = message("tools/list", 7)
        until(
            lambda: request(bridge.url, "POST", listing, session).json().get("result") == {"tools": []},
            "the others are served again",
        )


def test_sigterm_while_it_waits_ends_it_at_once(tmp_path: Path) -> None:
    """Also while a name is resolved: Docker's DNS may take 10 s over an unknown one."""
    port = free_port()
    file = write_bridge_json(tmp_path, free_port(), ["true"], "unused", **waits_for(port))
    with program(sys.executable, "-m", "bridge", "--config", file) as started:
        until(lambda: "waits" in started.log(), "it waits")
        began = time.monotonic()
        started.process.terminate()
        assert started.process.wait(5) == 0, started.log()
        assert time.monotonic() - began < 2
