"""The audit log behind the bridge, and the bridge's own metrics: lost rows, and the wait for a turn."""

from __future__ import annotations

import threading
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab import audit_rows
from tests.integration.bridge.client import Answer, headers, initialize, message, request
from tests.integration.bridge.parts import Bridge, running_bridge, stdio_backend, until
from tests.integration.bridge.postgres import Database
from tests.integration.sentinel_contract.relay import Relay

LOST = 'sentinel_bridge_audit_rows_lost_total{reason="not_written"}'


def test_the_gateways_own_table_takes_the_rows_that_the_lab_fills_it_with(tmp_path: Path, database: Database) -> None:
    url = database.url()
    with running_bridge(tmp_path, [], url):
        pass
    database.query(url, audit_rows.insert(90, "lab", "now() - number * interval '1 day'", "gen_random_uuid()"))
    days = "count(DISTINCT \"timestamp\"), min(request_args ->> 'name'), count(backend_name)"
    assert database.query(url, f"SELECT {days} FROM audit_log") == [(90, "read_query", 90)]


@dataclass
class Audited:
    """A bridge whose database can be cut off."""

    bridge: Bridge
    relay: Relay
    database: Database
    url: str

    def call(self, tool: str, **arguments: Any) -> Answer:
        opened = request(self.bridge.url, "POST", initialize(), headers()).headers["mcp-session-id"]
        calling = message("tools/call", 3, name=tool, arguments=arguments)
        return request(self.bridge.url, "POST", calling, headers(Mcp_Session_Id=opened, Accept="application/json"))

    def metric(self, sample: str) -> float:
        text = request(f"http://127.0.0.1:{self.bridge.health_port}/metrics", "GET").body.decode()
        return next(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(f"{sample} "))

    def texts(self) -> list[str]:
        rows = self.database.query(self.url, "SELECT request_args -> 'arguments' ->> 'text' FROM audit_log ORDER BY id")
        return [str(text) for (text,) in rows]


@pytest.fixture
def audited(tmp_path: Path, database: Database) -> Generator[Audited]:
    url, relay = database.url(), Relay(database.port).open()
    through = url.replace(f":{database.port}/", f":{relay.port}/")
    with running_bridge(tmp_path, [stdio_backend("alpha")], through) as bridge:
        yield Audited(bridge, relay, database, url)
    relay.cut()


def test_a_row_that_the_database_refuses_is_counted_and_the_log_has_the_reason(audited: Audited) -> None:
    assert audited.metric(LOST) == 0
    for text in ("one", "t\0wo", "three"):
        assert "result" in audited.call("alpha_echo", text=text).json()
    until(lambda: audited.metric(LOST) == 1, "the lost row is counted")
    until(lambda: audited.texts() == ["one", "three"], "the others are written")
    assert "Failed to write audit log" in audited.bridge.program.log()


def test_rows_that_are_lost_while_the_database_is_away_are_counted(audited: Audited) -> None:
    audited.relay.cut()
    assert "result" in audited.call("alpha_echo", text="lost").json()
    until(lambda: audited.metric(LOST) == 1, "the lost row is counted")
    audited.relay.open()
    assert "result" in audited.call("alpha_echo", text="after").json()
    until(lambda: audited.texts() == ["after"], "the next one is written")
    assert audited.metric(LOST) == 1


def test_the_time_until_a_calls_turn_is_measured(audited: Audited) -> None:
    waits = "sentinel_bridge_wait_seconds"
    slow = threading.Thread(target=lambda: audited.call("alpha_slow", seconds=3))
    slow.start()
    until(lambda: audited.metric(f"{waits}_count") == 1, "the slow call has its turn")
    assert "result" in audited.call("alpha_echo", text="x").json()
    slow.join(10)
    at_once, quick, both = (audited.metric(f'{waits}_bucket{{le="{bound}"}}') for bound in ("0.5", "1", "+Inf"))
    assert (at_once, quick, both) == (1, 1, 2)
    assert 1 < audited.metric(f"{waits}_sum") < 10
