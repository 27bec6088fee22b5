"""One slow tool beside the others, and the memory of one, two and seven gateway processes.

Owns: a bridge on this machine with a database and seven backends, these figures, and their tables. The gateway is the
lab's double, or the program that is given.
Deliberately does not: need the box. The delay is that of calls over HTTP to the bridge, each in a kept connection.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jwt
import tomli_w

from console.errors import UserError
from console.paths import ROOT
from lab.real.postgres import running_postgres

KEY = "processes"
TAKEN_BY = "python -m lab.benchmarks processes"
SLOW_SECONDS = 30
PAUSE_SECONDS = 0.02
BACKENDS = ("n8n", "sqlite", "thinking", "context7", "firecrawl", "exa", "playwright")
GROUPS: Mapping[int, Sequence[Sequence[str]]] = {
    1: (BACKENDS,),
    2: (BACKENDS[:3], BACKENDS[3:]),
    7: tuple((name,) for name in BACKENDS),
}
"""The backends of each process, by the number of processes; two are the default of the seven backends."""
QUICK, SLOW, BESIDE = "sqlite", "playwright", "context7"
"""The tool that is measured, the slow one, and one in the slow one's process."""
_SERVER = Path(__file__).with_name("sleeping_server.py")
_START_SECONDS = 60
_AUDIENCE = "benchmark"

Say = Callable[[str], None]


class _Client:
    """One session at the bridge."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2 * SLOW_SECONDS)
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
        answer, _ = self._post("initialize", hello)
        self._headers["Mcp-Session-Id"] = answer.getheader("Mcp-Session-Id") or ""

    def call(self, tool: str, **arguments: Any) -> float:
        """Milliseconds of one good call; raises UserError."""
        began = time.perf_counter()
        _, body = self._post("tools/call", {"name": tool, "arguments": arguments})
        if b'"result"' not in body:
            raise UserError(f"A call of {tool} failed: {body[:300].decode(errors='replace')}")
        return (time.perf_counter() - began) * 1000

    def _post(self, method: str, parameters: dict[str, Any]) -> tuple[http.client.HTTPResponse, bytes]:
        content = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        self._connection.request("POST", "/mcp", json.dumps(content), self._headers)
        answer = self._connection.getresponse()
        return answer, answer.read()


class _House:
    """A bridge that serves; `pids` are its own and then its gateways'."""

    def __init__(self, port: int, secret: str, pid: int) -> None:
        self._port, self._secret, self._pid = port, secret, pid

    def client(self) -> _Client:
        claims = {"sub": "bench", "role": "admin", "iss": _AUDIENCE, "aud": _AUDIENCE, "exp": time.time() + 3600}
        return _Client(self._port, jwt.encode(claims, self._secret, algorithm="HS256"))

    def pids(self) -> list[int]:
        children = Path(f"/proc/{self._pid}/task/{self._pid}/children").read_text().split()
        return [self._pid, *map(int, children)]


def take(gateway: str | None, say: Say) -> dict[str, Any]:
    """{"gateway", "slow_seconds", "delay", "beside_ms", "resident_mb"}; `gateway` is an executable, or the double."""
    taken: dict[str, Any] = {"gateway": "published" if gateway else "double", "slow_seconds": SLOW_SECONDS}
    memory: dict[str, Any] = {}
    with running_postgres() as database:
        for count, groups in GROUPS.items():
            with _running(groups, gateway, database.url()) as house:
                if count == 2:
                    taken |= _delays(house, say)
                clients = [house.client() for _ in range(20)]
                for client in clients:
                    for name in BACKENDS:
                        client.call(f"{name}_echo")
                bridge, *gateways = map(_resident_mb, house.pids())
                memory[str(count)] = {"bridge": bridge, "gateways": gateways}
                say(f"{count} processes: bridge {bridge} MB, gateways {gateways} MB")
    return {**taken, "resident_mb": memory}


def _delays(house: _House, say: Say) -> dict[str, Any]:
    """Calls alone, then while a slow call runs in another process; and one in the slow call's own process."""
    quick = house.client()
    end = time.monotonic() + SLOW_SECONDS
    alone = _repeated(quick, lambda: time.monotonic() < end)
    waits: list[float] = []
    slow, beside = house.client(), house.client()
    slow_call = threading.Thread(target=lambda: waits.append(slow.call(f"{SLOW}_sleep", seconds=SLOW_SECONDS)))
    waiting = threading.Thread(target=lambda: waits.append(beside.call(f"{BESIDE}_echo")))
    slow_call.start()
    time.sleep(0.2)
    waiting.start()
    meanwhile = _repeated(quick, slow_call.is_alive)
    slow_call.join()
    waiting.join()
    if len(waits) != 2:
        raise UserError("The slow call, or the one behind it, failed: its reason is above.")
    found = {"delay": {"alone": _spread(alone), "meanwhile": _spread(meanwhile)}, "beside_ms": round(waits[1], 1)}
    say(f"calls to another process: {found['delay']}; one to the same: {found['beside_ms']} ms")
    return found


def _repeated(client: _Client, more: Callable[[], bool]) -> list[float]:
    times: list[float] = []
    while more():
        times.append(client.call(f"{QUICK}_echo"))
        time.sleep(PAUSE_SECONDS)
    return times


def _spread(times: Sequence[float]) -> dict[str, float]:
    found = sorted(times)
    p50, p99 = found[len(found) // 2], found[int(len(found) * 0.99)]
    return {"p50": round(p50, 2), "p99": round(p99, 2), "longest": round(found[-1], 2), "calls": len(found)}


@contextlib.contextmanager
def _running(groups: Sequence[Sequence[str]], gateway: str | None, database_url: str) -> Generator[_House]:
    with tempfile.TemporaryDirectory() as made:
        folder, secret = Path(made), secrets.token_urlsafe(32)
        port, *inner = _free_ports(1 + len(groups))
        for name, text in (("secret", secret), ("database", database_url)):
            (folder / name).write_text(text)
        command = [gateway] if gateway else [sys.executable, "-m", "lab.doubles.sentinel"]
        document = {
            "listen": f"127.0.0.1:{port}",
            "path": "/mcp",
            "gateways": {
                f"group{number}": _gateway(folder, number, names, command, inner[number])
                for number, names in enumerate(groups)
            },
            "jwt": {"secret_file": str(folder / "secret"), "issuer": _AUDIENCE, "audience": _AUDIENCE},
            "gateway_environment_files": {
                "JWT_SECRET_KEY": str(folder / "secret"),
                "DATABASE_URL": str(folder / "database"),
            },
            "allowed_hosts": [f"127.0.0.1:{port}"],
        }
        (folder / "bridge.json").write_text(json.dumps(document))
        log = (folder / "log").open("w")
        argv = [sys.executable, "-m", "bridge", "--config", str(folder / "bridge.json")]
        bridge = subprocess.Popen(argv, cwd=ROOT, stderr=log)
        try:
            _await_start(bridge, folder / "log")
            yield _House(port, secret, bridge.pid)
        finally:
            bridge.send_signal(signal.SIGTERM)
            bridge.wait(_START_SECONDS)


def _gateway(folder: Path, number: int, names: Sequence[str], command: Sequence[str], health: int) -> dict[str, Any]:
    toml = folder / f"{number}.toml"
    backends = [
        {"name": name, "type": "stdio", "command": sys.executable, "args": [str(_SERVER), name], "timeout_secs": 60}
        for name in names
    ]
    document: dict[str, Any] = {
        "gateway": {"listen": "0.0.0.0:9200", "health_listen": f"127.0.0.1:{health}", "audit_enabled": True},
        "auth": {"jwt_secret_env": "JWT_SECRET_KEY", "jwt_issuer": _AUDIENCE, "jwt_audience": _AUDIENCE},
        "postgres": {"url_env": "DATABASE_URL", "max_connections": 5},
        "rbac": {"roles": {"admin": {"permissions": ["*"], "denied_tools": []}}},
        "rate_limits": {"default_rpm": 1_000_000, "per_tool": {}},
        "backends": backends,
    }
    toml.write_text(tomli_w.dumps(document))
    return {
        "command": [*command, "--config", str(toml)],
        "health": f"127.0.0.1:{health}",
        "backends": dict.fromkeys(names, 65),
    }


def _await_start(bridge: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while "MCP is served" not in (text := log.read_text()):
        if bridge.poll() is not None or time.monotonic() > end:
            raise UserError(f"The bridge did not start: {text[-500:]}")
        time.sleep(0.05)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def _resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return round(next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 1)


Table = Callable[[Sequence[str], Sequence[Sequence[object]]], str]


def slow_tool(taken: Mapping[str, Any], table: Table) -> str:
    """Calls beside a slow one."""
    seconds, delay = taken["slow_seconds"], taken["delay"]
    ways = {"alone": "nothing else", "meanwhile": f"a call of {seconds} s in another process"}
    rows: list[Sequence[object]] = [
        (caption, *(f"{delay[way][key]:.1f}" for key in ("p50", "p99", "longest")), delay[way]["calls"])
        for way, caption in ways.items()
    ]
    rows.append((f"that call in its own process, {taken['beside_ms'] / 1000:.1f} s", "", "", "", 1))
    added = delay["meanwhile"]["p99"] - delay["alone"]["p99"]
    head = ("ms a call, meanwhile", "p50", "p99", "longest", "calls")
    return f"{table(head, rows)}\nThe slow call adds {added:+.1f} ms at p99. {_gateway_under_test(taken)}\n"


def process_memory(taken: Mapping[str, Any], table: Table) -> str:
    """One row a number of processes."""
    rows = [
        (count, f"{one['bridge']:.0f}", _each(one["gateways"]), f"{one['bridge'] + sum(one['gateways']):.0f}")
        for count, one in taken["resident_mb"].items()
    ]
    head = ("gateway processes", "bridge", "each gateway", "together, MB")
    return f"{table(head, rows)}\n{_gateway_under_test(taken)}\n"


def _gateway_under_test(taken: Mapping[str, Any]) -> str:
    return {
        "published": "Taken with the published gateway.",
        "double": "Taken with the lab's double of the gateway.",
    }[taken["gateway"]]


def _each(sizes: Sequence[float]) -> str:
    least, most = f"{min(sizes):.0f}", f"{max(sizes):.0f}"
    return least if least == most else f"{least} to {most}"


TABLES: Mapping[str, Callable[[Mapping[str, Any], Table], str]] = {
    "slow_tool": slow_tool,
    "process_memory": process_memory,
}
