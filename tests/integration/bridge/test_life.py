"""The one gateway behind the bridge: its start, its death, its end."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.integration.bridge.client import Answer, headers, initialize, message, request
from tests.integration.bridge.parts import (
    ROOT,
    Bridge,
    free_port,
    gateway,
    gateway_command,
    program,
    resident_mb,
    running_bridge,
    stdio_backend,
    until,
    write_bridge_json,
    write_gateway_toml,
)
from tests.integration.bridge.postgres import Database
from tests.starvation import Stopwatch

RESIDENT_LIMIT_MB = 100
"""The paper's target for bridge and gateway together (`reference/sentinel.md`)."""

NOISY = """
import subprocess, sys
gateway = subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE)
for line in gateway.stdout:
    sys.stdout.buffer.write(sys.argv[1].encode() + line)
    sys.stdout.flush()
sys.exit(gateway.wait())
"""
"""The gateway that its arguments start, with the first argument's lines before each of its own."""

ODD_LINES = (
    "no JSON",
    "null",
    "1",
    "[]",
    '"x"',
    "[" * 100_000,
    "{}",
    '{"id": [], "result": {}}',
    '{"id": "1", "result": {}}',
    '{"method": "notifications/progress"}',
    '{"method": "notifications/progress", "params": null}',
    '{"method": "notifications/progress", "params": {"progressToken": []}}',
)


def opened(bridge: Bridge) -> dict[str, str]:
    return headers(Mcp_Session_Id=request(bridge.url, "POST", initialize(), headers()).headers["mcp-session-id"])


def call(bridge: Bridge, session: dict[str, str], tool: str, own_id: int = 3, **arguments: Any) -> Answer:
    return request(bridge.url, "POST", message("tools/call", own_id, name=tool, arguments=arguments), session)


def test_the_gateways_death_fails_a_running_call_and_a_new_one_serves_the_same_session(
    tmp_path: Path, database: Database
) -> None:
    with running_bridge(tmp_path, [stdio_backend("alpha")], database.url()) as bridge:
        session, diary = opened(bridge), tmp_path / "diary"
        answers: list[Answer] = []
        waiting = threading.Thread(
            target=lambda: answers.append(call(bridge, session, "alpha_slow", 9, seconds=30, diary=str(diary)))
        )
        waiting.start()
        until(lambda: diary.exists() and "begun" in diary.read_text(), "the call begins")
        (killed,) = bridge.children()
        os.kill(killed, signal.SIGKILL)
        waiting.join(5)
        assert b"the gateway ended before it answered" in answers[0].body
        refused = call(bridge, session, "alpha_echo", text="x")
        assert "being started again" in refused.json()["error"]["message"]
        until(lambda: "result" in call(bridge, session, "alpha_echo", text="x").json(), "the same session works again")
        (healed,) = bridge.children()
        assert healed != killed


def test_meaningless_lines_of_the_gateway_are_skipped_and_calls_continue(tmp_path: Path, database: Database) -> None:
    port, health_port = free_port(), free_port()
    toml = write_gateway_toml(tmp_path / "sentinel.toml", [stdio_backend("alpha")], health_port)
    odd = "".join(f"{line}\n" for line in ODD_LINES)
    noisy = [sys.executable, "-c", NOISY, odd, *gateway_command(toml)]
    file = write_bridge_json(tmp_path, port, noisy, database.url())
    with program(sys.executable, "-m", "bridge", "--config", file) as started:
        bridge = Bridge(port, health_port, started, file)
        until(lambda: "MCP is served" in started.log() or started.process.poll() is not None, "it serves", 30)
        assert started.process.poll() is None, started.log()
        session = opened(bridge)
        for own_id in (3, 4):
            assert "result" in call(bridge, session, "alpha_echo", own_id, text="x").json(), started.log()
        assert "the gateway wrote a line that is no JSON-RPC message; it is left out" in started.log()
        assert "Traceback" not in started.log()
        started.process.terminate()
        assert started.process.wait(10) == 0, started.log()


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (None, "cannot be read (No such file or directory): mount it for this user."),
        (b"", "is empty: write the secret into it."),
        (b"\xff\xfe", "is not text: write the secret into it in UTF-8, without zero bytes."),
        (b"a\0b", "is not text: write the secret into it in UTF-8, without zero bytes."),
    ],
    ids=["gone", "empty", "no-text", "zero-byte"],
)
def test_a_secret_that_cannot_be_read_at_a_restart_is_logged_and_read_again_later(
    tmp_path: Path, database: Database, broken: bytes | None, sentence: str
) -> None:
    with running_bridge(tmp_path, [stdio_backend("alpha")], database.url()) as bridge:
        session, secret = opened(bridge), tmp_path / "database_url"
        good = secret.read_bytes()
        if broken is None:
            secret.unlink()
        else:
            secret.write_bytes(broken)
        os.kill(bridge.children()[0], signal.SIGKILL)
        until(lambda: f"Secret file {secret} {sentence}" in bridge.program.log(), "the log has the reason")
        secret.write_bytes(good)
        until(lambda: "result" in call(bridge, session, "alpha_echo", text="x").json(), "the same session works again")
        assert "Traceback" not in bridge.program.log()


def test_sigterm_ends_it_within_three_seconds_with_no_audit_row_lost(tmp_path: Path, database: Database) -> None:
    url = database.url()
    with running_bridge(tmp_path, [stdio_backend("alpha")], url) as bridge:
        session = opened(bridge)
        listener = threading.Thread(target=lambda: request(bridge.url, "GET", None, session))
        listener.start()
        for own_id in range(10, 40):
            assert "result" in call(bridge, session, "alpha_echo", own_id, text="x").json()
        (gateway,) = bridge.children()
        stopwatch = Stopwatch()
        bridge.program.process.terminate()
        assert bridge.program.process.wait(5) == 0, bridge.program.log()
        assert stopwatch.seconds < 3
        assert not Path(f"/proc/{gateway}").exists()
        listener.join(5)
    assert database.query(url, "SELECT count(*) FROM audit_log WHERE client_subject = 'sentinel-bridge'") == [(30,)]


def test_sigterm_during_the_start_ends_it_too(tmp_path: Path) -> None:
    silent = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    file = write_bridge_json(tmp_path, free_port(), silent, "unused")
    with program(sys.executable, "-m", "bridge", "--config", file) as started:
        pid = started.process.pid
        until(lambda: Path(f"/proc/{pid}/task/{pid}/children").read_text(), "the gateway is started")
        started.process.terminate()
        assert started.process.wait(5) == 0, started.log()


def test_sighup_reaches_the_gateway_and_takes_the_kill_switch_live(tmp_path: Path, database: Database) -> None:
    with running_bridge(tmp_path, [stdio_backend("alpha")], database.url()) as bridge:
        session = opened(bridge)
        switch = {"disabled_tools": ["alpha_echo"]}
        write_gateway_toml(tmp_path / "sentinel.toml", [stdio_backend("alpha")], bridge.health_port, kill_switch=switch)
        bridge.program.process.send_signal(signal.SIGHUP)
        until(lambda: "error" in call(bridge, session, "alpha_echo", text="x").json(), "the kill switch works")
        assert "result" in call(bridge, session, "alpha_pid").json()


def test_sighup_during_the_start_waits_until_the_gateway_serves(tmp_path: Path, database: Database) -> None:
    """The real gateway dies of a SIGHUP that comes earlier; so does this one while its shell sleeps."""
    port, health_port = free_port(), free_port()
    toml = write_gateway_toml(tmp_path / "sentinel.toml", [stdio_backend("alpha")], health_port)
    slow = ["sh", "-c", 'echo asleep >&2; sleep 1; exec "$@"', "sh", *gateway_command(toml)]
    file = write_bridge_json(tmp_path, port, slow, database.url())
    with program(sys.executable, "-m", "bridge", "--config", file) as started:
        until(lambda: "asleep" in started.log(), "the gateway is being started")
        started.process.send_signal(signal.SIGHUP)
        until(lambda: "MCP is served" in started.log() or started.process.poll() is not None, "it serves", 30)
        until(lambda: "SIGHUP received" in started.log(), "the gateway reads its file again")
        started.process.terminate()
        assert started.process.wait(10) == 0, started.log()


def test_the_gateways_environment_has_no_proxy_no_colour_and_no_empty_health_token(tmp_path: Path) -> None:
    shown = tmp_path / "environment"
    gateway = ["sh", "-c", f"env > {shown}"]
    file = write_bridge_json(tmp_path, free_port(), gateway, "unused")
    odd = {"https_proxy": "http://127.0.0.1:1", "HEALTH_TOKEN": "", "NO_PROXY": "x", "RUST_LOG": "debug"}
    with program(sys.executable, "-m", "bridge", "--config", file, environment=odd) as started:
        started.process.wait(30)
    names = {line.partition("=")[0] for line in shown.read_text().splitlines()}
    assert names - {"PATH", "HOME", "LANG", "TZ", "PWD", "OLDPWD", "SHLVL", "_"} == {
        "NO_COLOR", "JWT_SECRET_KEY", "DATABASE_URL", "SENTINEL_TOKEN",
    }  # fmt: skip


def test_a_folder_with_a_dotenv_is_refused_since_the_gateway_would_read_it(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SENTINEL_TOKEN=x\n")
    file = write_bridge_json(tmp_path, free_port(), ["true"], "unused")
    command = ["env", "-C", tmp_path, sys.executable, "-m", "bridge", "--config", file]
    with program(*command, environment={"PYTHONPATH": str(ROOT)}) as started:
        assert started.process.wait(30) == 1
        until(lambda: started.lines, "it logs the reason")
    assert f"{tmp_path} has a .env" in started.log()


def test_metrics_on_9201_count_what_went_through_9200(tmp_path: Path, database: Database) -> None:
    with running_bridge(tmp_path, [stdio_backend("alpha")], database.url()) as bridge:
        call(bridge, opened(bridge), "alpha_echo", text="x")
        text = request(f"http://127.0.0.1:{bridge.health_port}/metrics", "GET").body.decode()
        assert 'sentinel_requests_total{status="success",tool="alpha_echo"} 1' in text


def test_bridge_and_gateway_together_stay_under_the_papers_hundred_megabytes(
    tmp_path: Path, database: Database
) -> None:
    """Measured after forty sessions with calls; the children of the gateway are not counted, as in the reference."""
    with running_bridge(tmp_path, [stdio_backend("alpha")], database.url()) as bridge:
        for _ in range(40):
            call(bridge, opened(bridge), "alpha_echo", text="x" * 10_000)
        (gateway,) = bridge.children()
        pids = {"bridge": bridge.program.process.pid, "gateway": gateway}
        resident = {name: resident_mb(pid) for name, pid in pids.items()}
        print(f"resident: {resident}")
        assert sum(resident.values()) < RESIDENT_LIMIT_MB, resident


def log_at_start(file: Path) -> str:
    with program(sys.executable, "-m", "bridge", "--config", file) as started:
        assert started.process.wait(30) == 1, started.log()
        until(lambda: started.lines, "it logs the reason")
    return started.log()


def test_a_gateway_that_refuses_to_start_ends_the_bridge_with_its_reason_in_the_log(
    tmp_path: Path, database: Database
) -> None:
    """With another secret for the gateway than for the bridge, the gateway refuses the bridge's token."""
    toml = write_gateway_toml(tmp_path / "sentinel.toml", [], free_port())
    other = tmp_path / "other"
    other.write_text("another-secret-that-is-also-long-enough")
    (tmp_path / "url").write_text(database.url())
    files = {"JWT_SECRET_KEY": str(other), "DATABASE_URL": str(tmp_path / "url")}
    file = write_bridge_json(tmp_path, free_port(), gateway_command(toml), "unused", gateway_environment_files=files)
    log = log_at_start(file)
    assert "Authentication failed" in log and "The gateway main did not start" in log and "exit code 1" in log


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"gateways": {"main": gateway(["no-such-gateway"])}},
            "The gateway no-such-gateway cannot be started: No such file or directory.",
        ),
        ({"unknown": 1}, "unknown is unknown"),
        ({"listen": "9200"}, "listen must be ADDRESS:PORT, not '9200'."),
        ({"gateways": {}}, "gateways must be at least one gateway by name."),
        (
            {"gateways": {"main": {"command": "x", "health": None, "backends": {}}}},
            "gateways.main.command must be the gateway's command as a list of arguments.",
        ),
        ({"gateways": {"main": {"command": ["x"]}}}, "gateways.main must hold command, health and backends, and"),
        ({"jwt": {"secret_file": "x"}}, "jwt must hold secret_file, issuer and audience, and nothing else."),
        ({"body_limit_bytes": 0}, "body_limit_bytes must be a number above 0, not 0."),
        (
            {"gateway_environment_files": {"X": "/no/such/secret"}},
            "Secret file /no/such/secret cannot be read (No such file or directory): mount it for this user.",
        ),
    ],
    ids=["no-gateway", "unknown-key", "listen", "gateways", "command", "members", "jwt", "limit", "no-secret"],
)
def test_a_users_error_is_one_sentence_and_exit_code_1(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    file = write_bridge_json(tmp_path, free_port(), ["true"], "unused", **changes)
    log = log_at_start(file)
    assert sentence in log and "Traceback" not in log and log.count("\n") == 1


def test_a_short_secret_is_refused(tmp_path: Path) -> None:
    file = write_bridge_json(tmp_path, free_port(), ["true"], "unused")
    (tmp_path / "jwt_secret").write_text("short")
    assert "has 5 bytes: write one with 32 or more." in log_at_start(file)


def test_a_held_port_is_named_and_the_gateway_is_ended(tmp_path: Path, database: Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        toml = write_gateway_toml(tmp_path / "sentinel.toml", [], free_port())
        file = write_bridge_json(tmp_path, port, gateway_command(toml), database.url())
        assert f"127.0.0.1:{port} cannot be listened on (Address already in use)" in log_at_start(file)
