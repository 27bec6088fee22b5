"""Two gateway processes behind one bridge: one slow tool keeps nobody of the other waiting."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.integration.bridge.client import Answer, headers, initialize, message, request
from tests.integration.bridge.parts import (
    Bridge,
    bridge_before,
    free_port,
    gateway,
    gateway_command,
    http_server,
    stdio_backend,
    until,
    write_gateway_toml,
)
from tests.integration.bridge.postgres import Database
from tests.starvation import Stopwatch

GROUPS = {"main": ("alpha", "beta"), "slow": ("gamma",)}
SLOW_SECONDS = 3.0
TOKEN = "a-health-token"


def write_tomls(folder: Path, ports: dict[str, int], **tables: Any) -> dict[str, Path]:
    return {
        group: write_gateway_toml(
            folder / f"{group}.toml", [stdio_backend(name) for name in backends], ports[group], **tables
        )
        for group, backends in GROUPS.items()
    }


class House:
    """The bridge before two gateways, and a client's session."""

    def __init__(self, bridge: Bridge, folder: Path, ports: dict[str, int]) -> None:
        self.bridge, self.folder, self.ports = bridge, folder, ports
        self.session = headers(
            Accept="application/json",
            Mcp_Session_Id=request(bridge.url, "POST", initialize(), headers()).headers["mcp-session-id"],
        )

    def call(self, tool: str, own_id: int = 3, **arguments: Any) -> Answer:
        return request(
            self.bridge.url, "POST", message("tools/call", own_id, name=tool, arguments=arguments), self.session
        )

    def works(self, backend: str) -> bool:
        return "result" in self.call(f"{backend}_echo", 9, text="x").json()

    def tools(self) -> list[str]:
        answer = request(self.bridge.url, "POST", message("tools/list", 2), self.session).json()
        return [tool["name"] for tool in answer["result"]["tools"]]

    def health(self, path: str, **headers: str) -> Answer:
        return request(f"http://127.0.0.1:{self.bridge.health_port}{path}", "GET", None, headers)

    def process_of(self, group: str) -> int:
        def serves(pid: int) -> bool:
            return f"{group}.toml" in Path(f"/proc/{pid}/cmdline").read_text()

        return next(pid for pid in self.bridge.children() if serves(pid))

    def switch_off(self, **switch: list[str]) -> None:
        write_tomls(self.folder, self.ports, kill_switch=switch)
        self.bridge.program.process.send_signal(signal.SIGHUP)


@pytest.fixture
def house(tmp_path: Path, database: Database) -> Generator[House]:
    ports = {group: free_port() for group in GROUPS}
    tomls = write_tomls(tmp_path, ports)
    gateways = {group: gateway(gateway_command(tomls[group]), ports[group], GROUPS[group]) for group in GROUPS}
    files = {name: str(tmp_path / name.lower()) for name in ("DATABASE_URL", "HEALTH_TOKEN")}
    (tmp_path / "health_token").write_text(TOKEN)
    files["JWT_SECRET_KEY"] = str(tmp_path / "jwt_secret")
    with bridge_before(tmp_path, gateways, database.url(), gateway_environment_files=files) as bridge:
        yield House(bridge, tmp_path, ports)


@pytest.fixture
def clients() -> Generator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def test_a_slow_call_delays_no_call_and_no_list_of_another_group(house: House, clients: ThreadPoolExecutor) -> None:
    assert house.works("alpha")
    slow = clients.submit(house.call, "gamma_slow", 1, seconds=SLOW_SECONDS)
    time.sleep(0.3)
    waits: list[float] = []
    for _ in range(40):
        stopwatch = Stopwatch()
        assert house.works("alpha")
        waits.append(stopwatch.seconds)
    stopwatch = Stopwatch()
    assert "gamma_slow" in house.tools()
    assert stopwatch.seconds < 1
    assert not slow.done() and sorted(waits)[-2] < SLOW_SECONDS / 10, waits
    assert "result" in slow.result().json()


def test_the_list_has_the_tools_of_all_groups_in_the_order_of_names(house: House) -> None:
    tools = house.tools()
    assert tools == sorted(tools)
    assert {name.partition("_")[0] for name in tools} == {"alpha", "beta", "gamma"}


def test_a_tool_that_two_groups_have_is_called_in_one_and_listed_of_the_other_under_its_backend(
    tmp_path: Path, database: Database
) -> None:
    servers = {"first": free_port(), "second": free_port()}
    address = f"127.0.0.1:{free_port()}"
    toml = {
        name: write_gateway_toml(
            tmp_path / f"{name}.toml",
            [{"name": name, "type": "http", "url": f"http://{address}/{name}/mcp", "retries": 0}],
            free_port(),
        )
        for name in servers
    }
    own = {name: {"url": f"http://127.0.0.1:{port}/mcp", "waited_for": True} for name, port in servers.items()}
    gateways = {name: gateway(gateway_command(toml[name]), backends=[name]) for name in servers}
    with (
        http_server("same", servers["first"]),
        http_server("same", servers["second"]) as second,
        bridge_before(tmp_path, gateways, database.url(), http_backends=own, http_backends_listen=address) as bridge,
    ):
        house = House(bridge, tmp_path, {})
        assert {"same_pid", "second__same_pid"} <= set(house.tools())
        assert house.call("same_pid").json()["result"]["content"][0]["text"] != str(second.process.pid)


def test_a_dead_process_is_replaced_and_the_other_group_and_the_session_go_on(
    house: House, clients: ThreadPoolExecutor
) -> None:
    main = house.process_of("main")
    running = clients.submit(house.call, "alpha_slow", 1, seconds=1.5)
    lost = clients.submit(house.call, "gamma_slow", 2, seconds=30)
    time.sleep(0.5)
    os.kill(house.process_of("slow"), signal.SIGKILL)
    assert lost.result().json()["error"]["message"] == "the gateway ended before it answered"
    assert "being started again" in house.call("gamma_echo", text="x").json()["error"]["message"]
    assert "gamma_echo" in house.tools(), "its tools come back, so that they stay listed"
    assert "result" in running.result().json()
    until(lambda: house.works("gamma"), "the same session reaches the replaced process")
    assert house.process_of("main") == main


def test_health_and_metrics_are_those_of_all_and_name_the_one_that_is_away(house: House) -> None:
    assert house.works("alpha") and house.works("gamma")
    assert house.health("/metrics").status == 401
    metrics = house.health("/metrics", Authorization=f"Bearer {TOKEN}")
    assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = metrics.body.decode()
    for line in (
        'sentinel_backend_healthy{backend="alpha"} 1',
        'sentinel_backend_healthy{backend="gamma"} 1',
        'sentinel_requests_total{status="success",tool="alpha_echo"} 1',
        'sentinel_requests_total{status="success",tool="gamma_echo"} 1',
    ):
        assert text.count(line) == 1, text
    assert text.count("# TYPE sentinel_requests_total counter") == 1
    assert house.health("/health").json() == {"status": "ok"}
    assert house.health("/ready").json() == {"status": "ready"}
    stopped = house.process_of("slow")
    os.kill(stopped, signal.SIGSTOP)
    answer = house.health("/health")
    assert (answer.status, answer.json()) == (503, {"status": "unavailable", "processes": ["slow"]})
    assert house.health("/ready").status == 503
    text = house.health("/metrics", Authorization=f"Bearer {TOKEN}").body.decode()
    assert 'sentinel_backend_healthy{backend="gamma"} 0' in text
    assert 'sentinel_backend_healthy{backend="alpha"} 1' in text
    os.kill(stopped, signal.SIGCONT)
    assert house.health("/health").status == 200


def test_a_reload_reaches_every_process_and_the_list_hides_at_once(house: House) -> None:
    assert house.tools()
    house.switch_off(disabled_tools=["alpha_echo", "gamma_echo"])
    until(lambda: not {"alpha_echo", "gamma_echo"} & set(house.tools()), "both are hidden")
    for tool in ("alpha_echo", "gamma_echo"):
        assert house.call(tool, text="x").json()["error"]["message"] == f"Tool is disabled: {tool}"
    house.switch_off(disabled_tools=[])
    until(lambda: {"alpha_echo", "gamma_echo"} <= set(house.tools()), "both are listed again")
    assert house.works("gamma") and house.works("alpha")


def test_an_unknown_tool_is_refused_by_the_first_group(house: House) -> None:
    assert house.call("nobodys").json()["error"]["message"] == "Unknown tool: nobodys"


def test_every_group_writes_into_the_one_audit(house: House, database: Database) -> None:
    assert house.works("alpha") and house.works("gamma")
    url = (house.folder / "database_url").read_text()
    until(
        lambda: (
            {
                row[0]
                for row in database.query(url, "SELECT backend_name FROM audit_log WHERE response_status = 'success'")
            }
            == {"alpha", "gamma"}
        ),
        "the rows of both",
    )
