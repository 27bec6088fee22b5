"""The double keeps the contract of `reference/sentinel.md`: each test is a line of it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.bridge.client import headers, initialize, message, request, token
from tests.integration.bridge.parts import (
    ROOT,
    Program,
    free_port,
    gateway_command,
    gateway_environment,
    http_backend,
    http_server,
    program,
    stdio_backend,
    until,
    write_gateway_toml,
)
from tests.integration.bridge.postgres import Database


class Gateway:
    """The double's stdio client: one line out, the answer with that id back."""

    def __init__(self, started: Program, health_port: int) -> None:
        self.program = started
        self.health = f"http://127.0.0.1:{health_port}"
        self._buffer: bytes = b""

    def send(self, sent: dict[str, Any]) -> None:
        assert self.program.process.stdin is not None
        self.program.process.stdin.write(json.dumps(sent).encode() + b"\n")
        self.program.process.stdin.flush()

    def request(self, sent: dict[str, Any], limit_seconds: float = 20) -> dict[str, Any]:
        self.send(sent)
        while "method" in (got := self.receive(limit_seconds)) or got["id"] != sent["id"]:
            pass
        return got

    def receive(self, limit_seconds: float = 20) -> dict[str, Any]:
        stdout: Any = self.program.process.stdout
        assert stdout is not None
        end = time.monotonic() + limit_seconds
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([stdout], [], [], max(0, end - time.monotonic()))
            assert ready, f"no answer within {limit_seconds} s; log: {self.program.log()}"
            chunk = stdout.read1(65536)
            assert chunk, f"the gateway ended: {self.program.log()}"
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    def call(self, tool: str, own_id: int = 7, **arguments: Any) -> dict[str, Any]:
        return self.request(message("tools/call", own_id, name=tool, arguments=arguments))

    def close_stdin(self) -> None:
        assert self.program.process.stdin is not None
        self.program.process.stdin.close()

    def metrics(self) -> str:
        return request(f"{self.health}/metrics", "GET").body.decode()


@contextmanager
def running(
    folder: Path, url: str, backends: list[dict[str, Any]], tables: dict[str, Any] | None = None, **environment: str
) -> Generator[Gateway]:
    health_port = free_port()
    toml = write_gateway_toml(folder / "sentinel.toml", backends, health_port, **(tables or {}))
    secrets = gateway_environment(url, **environment)
    with program(*gateway_command(toml), environment=secrets, stdout=subprocess.PIPE) as started:
        gateway = Gateway(started, health_port)
        gateway.request(initialize(), 30)
        yield gateway


def refusal(folder: Path, environment: dict[str, str], backends: list[dict[str, Any]] | None = None) -> Program:
    toml = write_gateway_toml(folder / "sentinel.toml", backends or [], free_port())
    with program(*gateway_command(toml), environment=environment) as started:
        started.process.wait(20)
    return started


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"SENTINEL_TOKEN": token(key="another-secret-that-is-also-long-enough")}, "Signature verification failed"),
        ({"SENTINEL_TOKEN": token(iss="mcpgateway")}, "issuer"),
        ({"SENTINEL_TOKEN": token(aud="mcpgateway-api")}, "udience"),
        ({"SENTINEL_TOKEN": token(exp=int(time.time()) - 3600)}, "expired"),
        ({"SENTINEL_TOKEN": ""}, "SENTINEL_TOKEN"),
        ({"JWT_SECRET_KEY": ""}, "JWT_SECRET_KEY"),
    ],
    ids=["other-key", "issuer", "audience", "expired", "no-token", "no-secret"],
)
def test_a_wrong_or_missing_token_ends_the_start_with_exit_code_1(
    tmp_path: Path, changes: dict[str, str], said: str
) -> None:
    ended = refusal(tmp_path, gateway_environment("postgres://nobody@127.0.0.1:1/none", **changes))
    assert ended.process.returncode == 1
    assert said in ended.log() and "Stack backtrace" in ended.log()


def test_a_token_that_expired_ten_seconds_ago_is_still_accepted(tmp_path: Path, database: Database) -> None:
    late = token(exp=int(time.time()) - 10)
    with running(tmp_path, database.url(), [], SENTINEL_TOKEN=late) as gateway:
        assert gateway.request(message("ping"))["result"] == {}


def test_without_a_database_the_start_ends_with_exit_code_1_after_its_retries(tmp_path: Path) -> None:
    ended = refusal(tmp_path, gateway_environment(f"postgres://nobody:x@127.0.0.1:{free_port()}/none"))
    assert ended.process.returncode == 1
    assert "next attempt" in ended.log() and "failed to connect to PostgreSQL" in ended.log()


def test_backends_are_discovered_before_the_token_is_checked(tmp_path: Path) -> None:
    ended = refusal(tmp_path, gateway_environment("unused", SENTINEL_TOKEN="bad"), [stdio_backend("alpha")])
    assert ended.log().index("backend alpha: 5 tools") < ended.log().index("JWT validation failed")


def test_tools_of_all_backends_stand_in_one_catalogue_under_their_own_names(tmp_path: Path, database: Database) -> None:
    port = free_port()
    backends = [stdio_backend("alpha"), http_backend("beta", port)]
    with http_server("beta", port), running(tmp_path, database.url(), backends) as gateway:
        names = {tool["name"] for tool in gateway.request(message("tools/list"))["result"]["tools"]}
        assert {"alpha_echo", "beta_echo"} <= names
        for own_id, name in enumerate(("alpha", "beta"), 10):
            answer = gateway.call(f"{name}_echo", own_id, text="x")
            assert answer["result"]["content"][0]["text"] == f"{name}:x"


def test_an_http_backend_unreachable_at_the_start_is_skipped_for_good(tmp_path: Path, database: Database) -> None:
    port = free_port()
    backends = [http_backend("beta", port), stdio_backend("alpha", health_interval_secs=1)]
    with running(tmp_path, database.url(), backends) as gateway, http_server("beta", port):
        assert "backend beta skipped" in gateway.program.log()
        assert "error" in gateway.call("beta_echo", text="x")
        assert 'backend="beta"' not in gateway.metrics()
        assert 'sentinel_backend_healthy{backend="alpha"} 1' in gateway.metrics()


def test_a_call_leaves_one_audit_row_and_the_columns_and_indexes_are_the_real_ones(
    tmp_path: Path, database: Database
) -> None:
    url = database.url()
    with running(tmp_path, url, [stdio_backend("alpha")]) as gateway:
        gateway.call("alpha_echo", text="x")
        gateway.call("nope", 8)
        rows = until(
            lambda: (rows := database.query(url, "SELECT * FROM audit_log ORDER BY id")) and len(rows) == 2 and rows,
            "two audit rows",
        )
    columns = database.query(
        url, "SELECT column_name FROM information_schema.columns WHERE table_name='audit_log' ORDER BY ordinal_position"
    )
    assert [name for (name,) in columns] == [
        *("id", "request_id", "timestamp", "client_subject", "client_role", "tool_name", "backend_name"),
        *("request_args", "response_status", "error_message", "latency_ms", "created_at"),
    ]
    assert [row[3:10] for row in rows] == [
        ("tester", "admin", "alpha_echo", "alpha", '{"text": "x"}', "success", None),
        ("tester", "admin", "nope", None, "{}", "error", "Unknown tool: nope"),
    ]
    indexes = {line for (line,) in database.query(url, "SELECT indexdef FROM pg_indexes WHERE tablename='audit_log'")}
    indexed = {line.split("(")[-1].strip('")') for line in indexes}
    assert indexed == {"id", "client_subject", "request_id", "timestamp", "tool_name"}


def test_migrations_run_at_every_start_and_keep_the_rows(tmp_path: Path, database: Database) -> None:
    url = database.url()
    for number in (1, 2):
        with running(tmp_path, url, [stdio_backend("alpha")]) as gateway:
            gateway.call("alpha_echo", text="x")
            gateway.close_stdin()
            assert gateway.program.process.wait(5) == 0
        assert database.query(url, "SELECT count(*) FROM audit_log") == [(number,)]
        assert database.query(url, "SELECT version, success FROM _sqlx_migrations") == [(1, True)]


def test_the_end_of_stdin_writes_the_queued_rows_and_ends_with_0_within_three_seconds(
    tmp_path: Path, database: Database
) -> None:
    url = database.url()
    with running(tmp_path, url, [stdio_backend("alpha")]) as gateway:
        for own_id in range(10, 40):
            gateway.call("alpha_echo", own_id, text="x")
        began = time.monotonic()
        gateway.close_stdin()
        assert gateway.program.process.wait(5) == 0
        assert time.monotonic() - began < 3
    assert database.query(url, "SELECT count(*) FROM audit_log") == [(30,)]


def test_sigterm_does_not_end_it_while_stdin_is_open(tmp_path: Path, database: Database) -> None:
    with running(tmp_path, database.url(), []) as gateway:
        gateway.program.process.send_signal(signal.SIGTERM)
        until(lambda: "SIGTERM received" in gateway.program.log(), "it heard SIGTERM")
        assert gateway.request(message("ping"))["result"] == {}
        gateway.close_stdin()
        assert gateway.program.process.wait(5) == 0


def test_a_metric_family_without_a_sample_is_absent(tmp_path: Path, database: Database) -> None:
    with running(tmp_path, database.url(), [stdio_backend("alpha")]) as gateway:
        assert [line.split()[2] for line in gateway.metrics().splitlines() if line.startswith("# TYPE")] == [
            "sentinel_backend_healthy"
        ]
        gateway.call("alpha_echo", text="x")
        text = gateway.metrics()
        assert "sentinel_errors_total" not in text and "sentinel_rate_limit_hits_total" not in text
        assert 'sentinel_requests_total{status="success",tool="alpha_echo"} 1' in text
        bounds = [line.split('le="')[1].split('"')[0] for line in text.splitlines() if "_bucket{" in line]
        assert bounds == ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"]
        gateway.call("nope", 8)
        text = gateway.metrics()
        assert 'sentinel_requests_total{status="error",tool="nope"} 1' in text
        assert 'sentinel_errors_total{error_type="unknown_tool",tool="nope"} 1' in text


def test_health_and_ready_answer_as_documented_and_metrics_want_the_health_token(
    tmp_path: Path, database: Database
) -> None:
    with running(tmp_path, database.url(), [], HEALTH_TOKEN="scraper") as gateway:
        assert request(f"{gateway.health}/health", "GET").json() == {"status": "ok"}
        assert request(f"{gateway.health}/ready", "GET").json() == {"status": "ready"}
        assert request(f"{gateway.health}/metrics", "GET").status == 401
        good = request(f"{gateway.health}/metrics", "GET", headers=headers(Authorization="Bearer scraper"))
        assert good.status == 200 and good.headers["content-type"].startswith("text/plain; version=0.0.4")


def test_sighup_reloads_kill_switch_and_rate_limits_and_nothing_else(tmp_path: Path, database: Database) -> None:
    with running(tmp_path, database.url(), [stdio_backend("alpha")]) as gateway:
        assert "result" in gateway.call("alpha_echo", text="x")
        tables: dict[str, Any] = {
            "kill_switch": {"disabled_tools": ["alpha_pid"]},
            "rate_limits": {"default_rpm": 1000, "per_tool": {"alpha_echo": 1}},
            "rbac": {"roles": {}},
        }
        write_gateway_toml(tmp_path / "sentinel.toml", [], 1, **tables)
        gateway.program.process.send_signal(signal.SIGHUP)
        until(lambda: "reloaded" in gateway.program.log(), "the reload")
        assert gateway.call("alpha_pid", 20)["error"] == {"code": -32005, "message": "Tool is disabled: alpha_pid"}
        assert "result" in gateway.call("alpha_echo", 21, text="x"), "a reload begins with full buckets"
        limited = {"code": -32004, "message": "Rate limit exceeded for tool: alpha_echo"}
        assert gateway.call("alpha_echo", 22, text="x")["error"] == limited
        assert "result" in gateway.call("alpha_count", 23, to=1)
        assert 'sentinel_rate_limit_hits_total{tool="alpha_echo"} 1' in gateway.metrics()


def test_what_the_kill_switch_disables_is_in_no_list_and_a_file_that_cannot_be_read_changes_nothing(
    tmp_path: Path, database: Database
) -> None:
    backends = [stdio_backend("alpha"), stdio_backend("beta")]
    switch: dict[str, Any] = {"disabled_backends": ["beta"]}
    with running(tmp_path, database.url(), backends) as gateway:
        write_gateway_toml(tmp_path / "sentinel.toml", [], 1, kill_switch=switch)
        gateway.program.process.send_signal(signal.SIGHUP)
        until(lambda: "Config reloaded successfully" in gateway.program.log(), "the reload")
        (tmp_path / "sentinel.toml").write_text("[kill_switch")
        gateway.program.process.send_signal(signal.SIGHUP)
        until(lambda: "Config reload failed, keeping previous config" in gateway.program.log(), "the refusal")
        listed = {tool["name"].split("_")[0] for tool in gateway.request(message("tools/list", 30))["result"]["tools"]}
        assert listed == {"alpha"}
        assert gateway.call("beta_echo", 31, text="x")["error"]["message"] == "Backend is disabled: beta"


def test_a_stdio_backend_that_dies_is_started_again(tmp_path: Path, database: Database) -> None:
    # The calls meanwhile open the circuit breaker.
    backends = [stdio_backend("alpha", circuit_breaker_recovery_secs=0.5)]
    with running(tmp_path, database.url(), backends) as gateway:
        first = int(gateway.call("alpha_pid")["result"]["content"][0]["text"])
        os.kill(first, signal.SIGKILL)
        own_ids = iter(range(100, 1000))

        def second() -> int | None:
            answer = gateway.call("alpha_pid", next(own_ids))
            return int(answer["result"]["content"][0]["text"]) if "result" in answer else None

        assert until(second, "the backend answers again") != first


def test_the_published_sqlite_server_works_behind_it(tmp_path: Path, database: Database) -> None:
    """A backend that this project did not write; `uvx`-like fetching is the test's, not the product's."""
    server = sqlite_server()
    backend = {"name": "sqlite", "type": "stdio", "command": server, "args": ["--db-path", str(tmp_path / "x.db")]}
    with running(tmp_path, database.url(), [backend]) as gateway:
        assert "result" in gateway.call("list_tables"), gateway.program.log()


def sqlite_server() -> str:
    """`mcp-server-sqlite` in an environment of its own (it runs on `mcp` 1 only), kept in `.work`."""
    place = ROOT / ".work" / "tests" / "mcp-server-sqlite"
    if not (place / "bin" / "mcp-server-sqlite").exists():
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        subprocess.run([place / "bin" / "pip", "install", "-q", "mcp-server-sqlite==2025.4.25", "mcp<2"], check=True)
    return str(place / "bin" / "mcp-server-sqlite")
