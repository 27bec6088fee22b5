"""Real parts for the tests of bridge, double and verification: a PostgreSQL, backends, the double, the bridge.

Owns: starting and ending them, each on a loopback port of its own, and only processes that it started.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import asyncpg  # pyright: ignore[reportMissingTypeStubs] - it has no types
import jwt
import pytest
import tomli_w

ROOT = Path(__file__).parents[3]
BACKEND_SERVER = Path(__file__).with_name("backend_server.py")
SECRET = "a-secret-of-the-tests-with-more-than-32-bytes"
ISSUER, AUDIENCE = "sentinel-gateway", "sentinel-api"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(true: Callable[[], Any], what: str, limit_seconds: float = 15.0) -> Any:
    """Wait until `true` returns something true, and return it; fails with `what` after the limit."""
    end = time.monotonic() + limit_seconds
    while time.monotonic() < end:
        if value := true():
            return value
        time.sleep(0.02)
    pytest.fail(f"not within {limit_seconds:g} s: {what}")


LIFE_SECONDS = 24 * 3600
"""Lifetime of a token: some are made when tests are collected, long before their test runs."""


def token(**changes: Any) -> str:
    """A good token, but for the changes; a claim given as None is left out."""
    moment = int(time.time())
    key, algorithm = changes.pop("key", SECRET), changes.pop("algorithm", "HS256")
    times = {"iat": moment, "exp": moment + LIFE_SECONDS}
    claims = {"sub": "tester", "role": "admin", "iss": ISSUER, "aud": AUDIENCE, **times}
    claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    return jwt.encode(claims, key, algorithm=algorithm)


@dataclass
class Database:
    """A PostgreSQL of the tests' own; `url()` is a new empty database."""

    port: int
    _number: int = 0

    def address(self, database: str) -> str:
        return f"postgres://sentinel:of-the-tests@127.0.0.1:{self.port}/{database}"

    def url(self) -> str:
        self._number += 1
        name = f"tests_{os.getpid()}_{self._number}"
        self.query(self.address("postgres"), f"CREATE DATABASE {name}")
        return self.address(name)

    def query(self, url: str, statement: str) -> list[tuple[Any, ...]]:
        async def rows() -> list[tuple[Any, ...]]:
            connection: Any = await cast(Any, asyncpg).connect(url)
            try:
                return [tuple(row) for row in await connection.fetch(statement)]
            finally:
                await connection.close()

        return asyncio.run(rows())


@contextlib.contextmanager
def running_postgres() -> Generator[Database]:
    """PostgreSQL in a folder of its own, as the system user that Debian's package makes (it refuses root)."""
    binaries = _postgres_binaries()
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="sentinel-tests-"))
    if user:
        shutil.chown(folder, user, user)
    password = folder / "password"
    password.write_text("of-the-tests")
    data, port = folder / "data", free_port()
    command = [binaries / "initdb", "-D", data, "-U", "sentinel", "-E", "UTF8", "-A", "scram-sha-256", "--no-sync"]
    subprocess.run([*command, f"--pwfile={password}"], check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)
    options = ("listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={folder}", "fsync=off")
    server = subprocess.Popen(
        [binaries / "postgres", "-D", data, *(argument for option in options for argument in ("-c", option))],
        user=user,
        cwd=folder,
        stderr=(folder / "log").open("w"),
    )
    try:
        until(lambda: "ready to accept" in (folder / "log").read_text(), "PostgreSQL accepts connections")
        yield Database(port)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)
        shutil.rmtree(folder)


def _postgres_binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found and os.geteuid() == 0:
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", "postgresql"], check=True)
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        pytest.fail("These tests need PostgreSQL: install Debian's package postgresql.")
    return found[-1]


@dataclass
class Program:
    """A started program, the lines of its stderr, its stdin for the test."""

    process: subprocess.Popen[bytes]
    lines: list[str] = field(default_factory=list[str])

    def log(self) -> str:
        return "".join(self.lines)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)


@contextlib.contextmanager
def program(
    *command: object, environment: dict[str, str] | None = None, stdout: int | None = None
) -> Generator[Program]:
    started = Program(
        subprocess.Popen(
            [str(argument) for argument in command],
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=stdout if stdout is not None else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
    )

    def follow() -> None:
        assert started.process.stderr is not None
        for line in started.process.stderr:
            started.lines.append(line.decode())

    reader = threading.Thread(target=follow, daemon=True)
    reader.start()
    try:
        yield started
    finally:
        started.end()
        # A grandchild may hold stderr open for a moment longer; its lines are not waited for.
        reader.join(1)


def stdio_backend(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": "stdio",
        "command": sys.executable,
        "args": [str(BACKEND_SERVER), name, "stdio"],
        **more,
    }


def http_backend(name: str, port: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "http", "url": f"http://127.0.0.1:{port}/mcp", **more}


@contextlib.contextmanager
def http_server(name: str, port: int) -> Generator[Program]:
    with program(sys.executable, BACKEND_SERVER, name, "http", port) as server:
        until(lambda: _listens(port), f"backend {name} listens")
        yield server


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def write_gateway_toml(path: Path, backends: list[dict[str, Any]], health_port: int, **tables: dict[str, Any]) -> Path:
    document: dict[str, Any] = {
        "gateway": {"listen": "0.0.0.0:9200", "health_listen": f"127.0.0.1:{health_port}", "audit_enabled": True},
        "auth": {"jwt_secret_env": "JWT_SECRET_KEY", "jwt_issuer": ISSUER, "jwt_audience": AUDIENCE},
        "postgres": {"url_env": "DATABASE_URL", "max_connections": 5},
        "rbac": {"roles": {"admin": {"permissions": ["*"], "denied_tools": []}}},
        "backends": backends,
        **tables,
    }
    path.write_text(tomli_w.dumps(document))
    return path


def gateway_command(toml: Path) -> list[str]:
    return [sys.executable, "-m", "lab.doubles.sentinel", "--config", str(toml)]


def gateway_environment(database_url: str, **changes: str) -> dict[str, str]:
    return {"JWT_SECRET_KEY": SECRET, "SENTINEL_TOKEN": token(), "DATABASE_URL": database_url, **changes}


@dataclass
class Bridge:
    port: int
    health_port: int
    program: Program
    configuration: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    def children(self) -> list[int]:
        """The gateway's process id, as the kernel has it."""
        pid = self.program.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def write_bridge_json(folder: Path, port: int, command: list[str], database_url: str, **changes: Any) -> Path:
    for name, text in (("jwt_secret", SECRET), ("database_url", database_url)):
        (folder / name).write_text(text)
    document = {
        "listen": f"127.0.0.1:{port}",
        "path": "/mcp",
        "gateway": command,
        "jwt": {"secret_file": str(folder / "jwt_secret"), "issuer": ISSUER, "audience": AUDIENCE},
        "gateway_environment_files": {
            "DATABASE_URL": str(folder / "database_url"),
            "JWT_SECRET_KEY": str(folder / "jwt_secret"),
        },
        "allowed_hosts": [f"127.0.0.1:{port}", f"localhost:{port}"],
        **changes,
    }
    file = folder / "bridge.json"
    file.write_text(json.dumps(document))
    return file


@contextlib.contextmanager
def running_bridge(
    folder: Path,
    backends: list[dict[str, Any]],
    database_url: str,
    gateway: dict[str, Any] | None = None,
    **changes: Any,
) -> Generator[Bridge]:
    """The bridge in front of the double, ready: it listens."""
    port, health_port = free_port(), free_port()
    toml = write_gateway_toml(folder / "sentinel.toml", backends, health_port, **(gateway or {}))
    file = write_bridge_json(folder, port, gateway_command(toml), database_url, **changes)
    with program(sys.executable, "-m", "bridge", "--config", file) as started:
        bridge = Bridge(port, health_port, started, file)

        def ready() -> bool:
            assert started.process.poll() is None, started.log()
            return _listens(port)

        until(ready, "the bridge listens", 30)
        try:
            yield bridge
        finally:
            # In order, so that the gateway and its backends end with it.
            if started.process.poll() is None:
                started.process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    started.process.wait(10)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def request(
    url: str, method: str = "POST", body: Any = None, headers: dict[str, str] | None = None, limit_seconds: float = 10
) -> Answer:
    """One bare HTTP request, also one that no well-behaved client would send."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    prepared = urllib.request.Request(url, data, headers or {}, method=method)
    try:
        with urllib.request.urlopen(prepared, timeout=limit_seconds) as got:
            return Answer(got.status, {key.lower(): value for key, value in got.headers.items()}, got.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, {key.lower(): value for key, value in error.headers.items()}, error.read())


def headers(**changes: str) -> dict[str, str]:
    """The usual headers of a client, with changes; underscores in names stand for dashes."""
    usual = {
        "Authorization": f"Bearer {token()}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
    }
    return {**usual, **{name.replace("_", "-"): value for name, value in changes.items()}}


def message(method: str, own_id: int | str | None = 1, **parameters: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": parameters}
    return made if own_id is None else {**made, "id": own_id}


def initialize() -> dict[str, Any]:
    return message(
        "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "tests", "version": "1"}
    )
