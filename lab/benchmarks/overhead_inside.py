"""The time that the bridge adds to a call, taken inside Sentinel's container: over HTTP through the bridge, and over
the stdio of a second gateway process that starts the tool's server itself, without bridge and launcher.

One JSON document on stdin ({"backend", "tool", "arguments", "calls": [[clients, calls of each], …]}), one on stdout.
Standard library, and PyJWT from the bridge's own packages. Secrets are read where the bridge reads them, and leave this
process only as the environment of the gateway that it starts.

Owns: that measurement, and the resident memory of the bridge and of the tool's gateway after it. Run by overhead.py.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

CONFIGURATION = Path("/etc/sentinel/bridge.json")
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
START_SECONDS = 60
UNCOUNTED_CALLS = 10

Message = dict[str, Any]


class Client(Protocol):
    """A client that makes one call after the other."""

    def call(self, own_id: int, tool: str, arguments: Message) -> bool: ...

    def close(self) -> None: ...


def processes(toml: str) -> tuple[int, int, int, dict[str, str]]:
    """The supervisor's process, the bridge's below it, that of the gateway with this file below the bridge, and the
    bridge's environment.
    """
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        argv = (folder / "cmdline").read_bytes().split(b"\0")
        if b"-m" in argv and argv[argv.index(b"-m") + 1] == b"bridge":
            pid = int(folder.name)
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            child = next(one for one in children if toml.encode() in Path(f"/proc/{one}/cmdline").read_bytes())
            pairs = (folder / "environ").read_bytes().split(b"\0")
            status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
            variables = dict(pair.decode().split("=", 1) for pair in pairs if b"=" in pair)
            return int(status["PPid"]), pid, int(child), variables
    sys.exit("no bridge runs in this container")


def resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return round(next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 1)


def message(own_id: int, method: str, **parameters: Any) -> Message:
    return {"jsonrpc": "2.0", "id": own_id, "method": method, "params": parameters}


class Http:
    """One client: a session and a kept connection through the bridge."""

    def __init__(self, port: int, token: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }
        answer = self.post(message(0, "initialize", **HELLO))
        self.headers["Mcp-Session-Id"] = answer.getheader("mcp-session-id") or ""
        answer.read()

    def post(self, content: Message) -> http.client.HTTPResponse:
        self.connection.request("POST", "/mcp", json.dumps(content), self.headers)
        return self.connection.getresponse()

    def call(self, own_id: int, tool: str, arguments: Message) -> bool:
        return b'"result"' in self.post(message(own_id, "tools/call", name=tool, arguments=arguments)).read()

    def close(self) -> None:
        self.connection.request("DELETE", "/mcp", headers=self.headers)
        self.connection.getresponse().read()
        self.connection.close()


class Stdio:
    """The gateway's own pipes, which all clients share, as the bridge's sessions do."""

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=quiet
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.requests, self.answers = self.process.stdin, self.process.stdout
        self.writing = threading.Lock()
        self.waiting: dict[int, tuple[threading.Event, list[bytes]]] = {}
        self.last_id = 0
        threading.Thread(target=self.read, daemon=True).start()
        if not self.request("initialize", **HELLO):
            sys.exit("the second gateway did not start")
        self.write({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def read(self) -> None:
        for line in self.answers:
            answer = json.loads(line)
            if "method" not in answer:
                event, box = self.waiting.pop(answer["id"])
                box.append(line)
                event.set()

    def write(self, content: Message) -> None:
        self.requests.write(json.dumps(content).encode() + b"\n")
        self.requests.flush()

    def request(self, method: str, **parameters: Any) -> bool:
        event = threading.Event()
        box: list[bytes] = []
        with self.writing:
            self.last_id += 1
            self.waiting[self.last_id] = (event, box)
            self.write(message(self.last_id, method, **parameters))
        return event.wait(START_SECONDS) and b'"result"' in box[0]

    def call(self, own_id: int, tool: str, arguments: Message) -> bool:
        return self.request("tools/call", name=tool, arguments=arguments)

    def close(self) -> None:
        pass

    def end(self) -> None:
        self.requests.close()
        self.process.wait(START_SECONDS)


def taken(clients: Sequence[Client], calls: int, tool: str, arguments: Message) -> dict[str, float]:
    """p50 and p99 in milliseconds over every call of every client."""
    times: list[float] = []
    failed: list[int] = []

    def run(client: Client) -> None:
        for number in range(1, calls + 1):
            began = time.perf_counter()
            if not client.call(number, tool, arguments):
                failed.append(number)
            times.append((time.perf_counter() - began) * 1000)

    threads = [threading.Thread(target=run, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        sys.exit(f"{len(failed)} of {len(times)} calls were answered with an error")
    times.sort()
    return {"p50": round(times[len(times) // 2], 2), "p99": round(times[int(len(times) * 0.99)], 2)}


def series(make: Callable[[], Client], request: Message) -> dict[str, dict[str, float]]:
    """The figures of every number of clients, by that number."""
    tool, arguments = request["tool"], request["arguments"]
    first = make()
    taken([first], UNCOUNTED_CALLS, tool, arguments)
    first.close()
    found: dict[str, dict[str, float]] = {}
    for count, calls in request["calls"]:
        clients = [make() for _ in range(count)]
        found[str(count)] = taken(clients, calls, tool, arguments)
        for client in clients:
            client.close()
    return found


def own_configuration(toml: str, server: dict[str, Any], name: str) -> Path:
    """The gateway's configuration with one backend, its own child, which dies of its first line on the stderr that the
    gateway gives it, and therefore has another.
    """
    head, _, others = Path(toml).read_text().partition("[[backends]]")
    live = "[kill_switch]" + others.partition("[kill_switch]")[2]
    argv = ["-c", 'exec "$0" "$@" 2>/dev/null', server["command"], *server["arguments"]]
    facts = {"name": name, "type": "stdio", "command": "sh", "args": argv}
    backend = "".join(f"{key} = {json.dumps(value)}\n" for key, value in facts.items())
    made = Path(tempfile.mkdtemp()) / "sentinel.toml"
    made.write_text(f"{head}[[backends]]\n{backend}\n{live}")
    return made


def main() -> None:
    request = json.load(sys.stdin)
    settings = json.loads(CONFIGURATION.read_text())
    command = next(one["command"] for one in settings["gateways"].values() if request["backend"] in one["backends"])
    supervisor, bridge, gateway, environment = processes(command[-1])
    sys.path[:0] = environment["PYTHONPATH"].split(":")
    import jwt

    names = settings["gateway_environment_files"]
    secrets = {name: Path(file).read_text().rstrip("\r\n") for name, file in names.items()}
    claims = {"sub": "bench", "role": "admin", "iss": settings["jwt"]["issuer"], "aud": settings["jwt"]["audience"]}
    moment = int(time.time())
    key = Path(settings["jwt"]["secret_file"]).read_text().rstrip("\r\n").encode()
    token = jwt.encode({**claims, "iat": moment, "exp": moment + 3600}, key, algorithm="HS256")
    port = int(settings["listen"].rpartition(":")[2])
    through_bridge = series(lambda: Http(port, token), request)
    memory = {"supervisor": resident_mb(supervisor), "bridge": resident_mb(bridge), "gateway": resident_mb(gateway)}
    toml = own_configuration(command[-1], settings["stdio_servers"][request["backend"]], request["backend"])
    stdio = Stdio([command[0], "--config", str(toml)], {**environment, **secrets, "SENTINEL_TOKEN": token})
    own = series(lambda: stdio, request)
    stdio.end()
    json.dump({"bridge": through_bridge, "stdio": own, "resident_mb": memory}, sys.stdout)


main()
