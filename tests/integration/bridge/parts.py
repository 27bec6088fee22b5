"""Real parts for the tests of bridge, double and verification: backends, the double, the bridge.

Owns: starting and ending them, each on a loopback port of its own, and only processes that it started.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from tests.integration.bridge.client import AUDIENCE, ISSUER, SECRET, token

ROOT = Path(__file__).parents[3]
BACKEND_SERVER = Path(__file__).with_name("backend_server.py")


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


def adapted(name: str, port: int, seconds: float = 30) -> tuple[dict[str, Any], dict[str, Any]]:
    """An HTTP backend behind the bridge's adapter: its part of the gateway's configuration, and of the bridge's."""
    adapter = free_port()
    toml = {"name": name, "type": "http", "url": f"http://127.0.0.1:{adapter}/{name}/mcp", "retries": 0}
    own = {"url": f"http://127.0.0.1:{port}/mcp", "waited_for": True}
    listen = f"127.0.0.1:{adapter}"
    return toml, {"http_backends": {name: own}, "http_backends_listen": listen, "http_backends_seconds": seconds}


@contextlib.contextmanager
def http_server(name: str, port: int, transport: str = "http") -> Generator[Program]:
    with program(sys.executable, BACKEND_SERVER, name, transport, port) as server:
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
    """The double, or the gateway that GATEWAY_UNDER_TEST names."""
    given = os.environ.get("GATEWAY_UNDER_TEST")
    return [*([given] if given else [sys.executable, "-m", "lab.doubles.sentinel"]), "--config", str(toml)]


def gateway_environment(database_url: str, **changes: str) -> dict[str, str]:
    return {"JWT_SECRET_KEY": SECRET, "SENTINEL_TOKEN": token(), "DATABASE_URL": database_url, **changes}


@dataclass
class Bridge:
    port: int
    health_port: int
    """That of the bridge."""
    program: Program
    configuration: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    def children(self) -> list[int]:
        """The gateways' process ids, as the kernel has them."""
        pid = self.program.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def gateway(
    command: list[str], health_port: int | None = None, backends: Iterable[str] = (), seconds: float = 65
) -> dict[str, Any]:
    """One gateway of `bridge.json`, with the limit of its backends' calls."""
    health = f"127.0.0.1:{health_port}" if health_port else None
    return {"command": command, "health": health, "backends": dict.fromkeys(backends, seconds)}


def write_bridge_json(
    folder: Path,
    port: int,
    command: list[str],
    database_url: str,
    gateways: dict[str, dict[str, Any]] | None = None,
    **changes: Any,
) -> Path:
    """`bridge.json` with one gateway, `main`, which has every backend of the changes; or with those given."""
    for name, text in (("jwt_secret", SECRET), ("database_url", database_url)):
        (folder / name).write_text(text)
    named = {*changes.get("http_backends", {}), *changes.get("stdio_servers", {})}
    document = {
        "listen": f"127.0.0.1:{port}",
        "path": "/mcp",
        "gateways": {"main": gateway(command, backends=named)} if gateways is None else gateways,
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
    port: int = 0,
    **changes: Any,
) -> Generator[Bridge]:
    """The bridge in front of the double, ready: it listens, on a port of its own where none is given."""
    own = free_port()
    toml = write_gateway_toml(folder / "sentinel.toml", backends, own)
    main = gateway(gateway_command(toml), own, [backend["name"] for backend in backends])
    with bridge_before(folder, {"main": main}, database_url, port, **changes) as bridge:
        yield bridge


@contextlib.contextmanager
def bridge_before(
    folder: Path, gateways: dict[str, dict[str, Any]], database_url: str, port: int = 0, **changes: Any
) -> Generator[Bridge]:
    """The bridge before these gateways, ready: it listens."""
    port, health_port = port or free_port(), free_port()
    changes = {"health_listen": f"127.0.0.1:{health_port}", **changes}
    file = write_bridge_json(folder, port, [], database_url, gateways, **changes)
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


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))
