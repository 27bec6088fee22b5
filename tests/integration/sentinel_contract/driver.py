"""One gateway process: its start, lines to and from it, its log, its health port, its end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LOG_LINE = re.compile(r"^\S+Z\s+(TRACE|DEBUG|INFO|WARN|ERROR) (.*)$")
EXPECTED_WARNINGS = ("Metrics endpoint is unauthenticated", "No backends available, falling back")
_OF_THE_MACHINE = "sqlx::query: slow statement"
"""A line for each statement that a busy machine's database took a second for."""
RUNNING = "RUNNING"


def until(true: Callable[[], Any], limit_seconds: float) -> Any:
    """Wait until `true` returns something true, and return its last value."""
    end = time.monotonic() + limit_seconds
    while not (value := true()) and time.monotonic() < end:
        time.sleep(0.01)
    return value


@dataclass
class Line:
    """One line of the gateway's stdout and its moment."""

    at: float
    message: dict[str, Any]


@dataclass
class Gateway:
    """A started gateway; every wait has a limit and returns what there is by then."""

    process: subprocess.Popen[bytes]
    file: Path
    log_file: Path
    health_port: int
    lines: list[Line] = field(default_factory=list[Line])
    not_json: list[bytes] = field(default_factory=list[bytes])
    reader: subprocess.Popen[bytes] | None = None
    """A reader between the gateway's stdout and this process, where it must be able to go away."""
    silent: bool = False
    """True once stdout has ended and no line comes any more."""
    _next_id: int = 100

    def __post_init__(self) -> None:
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        output = (self.reader or self.process).stdout
        assert output
        for line in output:
            try:
                self.lines.append(Line(time.monotonic(), json.loads(line)))
            except ValueError:
                self.not_json.append(line)
        self.silent = True

    # Lines in

    def write(self, data: bytes) -> bool:
        """Write to stdin; False where nobody reads it any more."""
        assert self.process.stdin
        try:
            self.process.stdin.write(data)
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError):
            return False
        return True

    def send(self, message: dict[str, Any]) -> bool:
        return self.write(json.dumps(message).encode() + b"\n")

    def close_stdin(self) -> None:
        assert self.process.stdin
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()

    # Lines out

    def answer_to(self, own_id: Any, limit_seconds: float = 30) -> Line | None:
        def found() -> Line | None:
            return next((line for line in self.lines if line.message.get("id") == own_id), None)

        until(lambda: found() or self.silent, limit_seconds)
        return found()

    def request(self, method: str, params: Any = None, limit_seconds: float = 30) -> dict[str, Any]:
        """One request with an id of its own; the answer without jsonrpc and id."""
        return self.timed(method, params, limit_seconds)[0]

    def timed(self, method: str, params: Any = None, limit_seconds: float = 30) -> tuple[dict[str, Any], float]:
        own_id, start = self.post(method, params), time.monotonic()
        line = self.answer_to(own_id, limit_seconds)
        if line is None:
            return {"no answer within": limit_seconds}, limit_seconds
        return without(line.message, "jsonrpc", "id"), line.at - start

    def post(self, method: str, params: Any = None) -> int:
        """Write one request and return its id."""
        self._next_id += 1
        message: dict[str, Any] = {"jsonrpc": "2.0", "id": self._next_id, "method": method}
        self.send(message if params is None else {**message, "params": params})
        return self._next_id

    def call(self, tool: str, arguments: Any = None, limit_seconds: float = 30) -> dict[str, Any]:
        return self.request("tools/call", {"name": tool, "arguments": arguments or {}}, limit_seconds)

    def timed_call(self, tool: str, arguments: Any = None, limit_seconds: float = 30) -> tuple[dict[str, Any], float]:
        return self.timed("tools/call", {"name": tool, "arguments": arguments or {}}, limit_seconds)

    def initialize(self, limit_seconds: float = 60) -> dict[str, Any]:
        info = {"name": "probe", "version": "1"}
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info}
        answer = self.request("initialize", params, limit_seconds)
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer

    def tools(self) -> list[dict[str, Any]]:
        return self.request("tools/list").get("result", {}).get("tools", [])

    def names(self) -> list[str]:
        return sorted(tool["name"] for tool in self.tools())

    def written(self, data: bytes, limit_seconds: float = 0.25) -> list[dict[str, Any]]:
        """The messages that come within the limit after these bytes were written."""
        before = len(self.lines)
        self.write(data)
        time.sleep(limit_seconds)
        return [line.message for line in self.lines[before:]]

    # Log

    def stderr(self) -> str:
        return self.log_file.read_text(errors="replace")

    def log(self, *levels: str, all_warnings: bool = False) -> list[str]:
        """Log lines without their time, of these levels; without the two warnings of every start."""
        found = [
            match.groups() for line in self.stderr().splitlines() if (match := _LOG_LINE.match(_COLOUR.sub("", line)))
        ]
        found = [(level, text) for level, text in found if not text.startswith(_OF_THE_MACHINE)]
        lines = [f"{level} {text}" for level, text in found if not levels or level in levels]
        return [line for line in lines if all_warnings or not any(known in line for known in EXPECTED_WARNINGS)]

    def said(self) -> list[str]:
        """The lines of stderr that are no log lines."""
        lines = _COLOUR.sub("", self.stderr()).splitlines()
        return [line for line in lines if line.strip() and not _LOG_LINE.match(line)]

    # Health port

    def get(
        self, path: str, headers: dict[str, str] | None = None, method: str = "GET"
    ) -> tuple[int, dict[str, str], str]:
        """Status, headers and body; status 0 where nobody listens."""
        url = f"http://127.0.0.1:{self.health_port}{path}"
        try:
            request = urllib.request.Request(url, headers=headers or {}, method=method)
            with urllib.request.urlopen(request, timeout=10) as got:
                return got.status, {k.lower(): v for k, v in got.headers.items()}, got.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read().decode()
        except OSError:
            return 0, {}, ""

    def metrics(self, *beginnings: str) -> list[str]:
        """Sorted lines of /metrics that begin with one of these."""
        lines = self.get("/metrics")[2].splitlines()
        return sorted(line for line in lines if not beginnings or line.startswith(beginnings))

    def counters(self) -> list[str]:
        return self.metrics("sentinel_requests_total", "sentinel_errors_total")

    def gauges(self) -> list[str]:
        return self.metrics("sentinel_backend_healthy")

    # End

    def signal(self, name: str) -> None:
        self.process.send_signal(getattr(signal, name))

    def wait(self, limit_seconds: float) -> int | str:
        try:
            return self.process.wait(limit_seconds)
        except subprocess.TimeoutExpired:
            return RUNNING

    def end(self, limit_seconds: float = 20) -> int | str:
        """Close stdin and wait for the end."""
        self.close_stdin()
        return self.wait(limit_seconds)

    def memory_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024

    def kill(self) -> None:
        if self.reader:
            self.reader.kill()
            self.reader.wait(10)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                if stream:
                    stream.close()


def start(
    command: list[str],
    folder: Path,
    environment: dict[str, str],
    file: Path,
    health_port: int,
    reader_apart: bool = False,
) -> Gateway:
    log_file = folder / f"log-{time.monotonic_ns()}"
    pipe = subprocess.PIPE
    reader = subprocess.Popen(["cat"], stdin=pipe, stdout=pipe) if reader_apart else None
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=pipe, stdout=reader.stdin if reader else pipe, stderr=log
        )
    if reader and reader.stdin:
        reader.stdin.close()
    return Gateway(process, file, log_file, health_port, reader=reader)


def without(message: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name not in names}


def processes_of(group: int) -> bool:
    """True while the process group has a member that is no zombie."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if os.getpgid(int(folder.name)) == group and " Z " not in (folder / "stat").read_text().rsplit(")", 1)[1]:
                return True
        except OSError:
            continue
    return False
