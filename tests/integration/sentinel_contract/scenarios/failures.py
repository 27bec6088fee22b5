"""Calls that fail at a backend: timeouts, repeats, broken answers, the breaker."""

from __future__ import annotations

import os
import signal
import time
from itertools import pairwise
from typing import Any

from tests.integration.sentinel_contract.driver import Gateway
from tests.integration.sentinel_contract.http_fake import HttpFake
from tests.integration.sentinel_contract.place import Place
from tests.integration.sentinel_contract.recording import Count, Pauses, Seconds
from tests.integration.sentinel_contract.scenarios import scenario

NEVER = 1_000_000
"""A threshold that the breaker does not reach."""


def timed(gateway: Gateway, tool: str, arguments: Any = None) -> list[Any]:
    answer, seconds = gateway.timed_call(tool, arguments)
    return [answer, Seconds(seconds)]


@scenario(11)
def timeouts(place: Place) -> Any:
    child = place.child("a", timeout_secs=1)
    h, h3 = place.http("h", call_seconds=2), place.http("h3", call_seconds=2)
    http = [h.backend(timeout_secs=1, retries=2), h3.backend(timeout_secs=1, retries=0)]
    gateway = place.gateway([child.backend, *http])
    observed: dict[str, Any] = {"stdio, timeout 1 s, call of 2.5 s": timed(gateway, "sleep", {"s": 2.5})}
    time.sleep(1.8)
    observed["next call"] = timed(gateway, "echo", {"text": "after"})
    observed["after the late answer"] = gateway.call("echo", {"text": "b"})
    observed["child got"] = child.methods()
    observed["no answer at all"] = timed(gateway, "noanswer")
    observed["answer with the id as a string"] = timed(gateway, "stringid")
    observed["http, timeout 1 s, retries 2, call of 2 s"] = timed(gateway, "h")
    observed["http, retries 0"] = timed(gateway, "h3")
    observed["times the http tool was run"] = len(h.of("tools/call"))
    observed["times run with retries 0"] = len(h3.of("tools/call"))
    observed["metrics"] = gateway.counters()
    rows = place.rows("tool_name, response_status, error_message, latency_ms", expected=7)
    observed["rows"] = [[*row[:3], Seconds(row[3] / 1000)] for row in rows]
    return observed


STATUSES = [500, 502, 503, 429, 400, 401, 404, 204]
NO_ANSWERS = [b"", b"not json", b"[]", b'{"jsonrpc":"2.0","id":1}', b'{"result":{}}']
NOTIFICATION = b'{"jsonrpc":"2.0","method":"notifications/x"}'
FAILURES: list[Any] = [*STATUSES, "close", "reset", "cutbody", *NO_ANSWERS, NOTIFICATION]


@scenario(8)
def http_failures(place: Place) -> Any:
    h, d = place.http("h"), place.http("d")
    backends = [h.backend(retries=2, circuit_breaker_threshold=NEVER), d.backend(circuit_breaker_threshold=NEVER)]
    gateway = place.gateway(backends)
    observed: dict[str, Any] = {}
    for failure in FAILURES:
        observed[str(failure)] = _failing_call(gateway, h, failure)
    once = _failing_call(gateway, h, "503 once")
    observed["503 once, then well"] = {name: once[name] for name in ("answer", "attempts")}
    for failure in ("isError", "rpc error"):
        observed[failure] = _failing_call(gateway, h, failure)["answer"]
    d.stop()
    answer, seconds = gateway.timed_call("d")
    observed["connection refused, default retries"] = [answer, 0.7 <= seconds <= 2]
    observed["metrics"] = gateway.counters()
    rows = place.rows("tool_name, backend_name, response_status, error_message", expected=21)
    observed["rows"] = [[*row[:3], row[3] and row[3][:80]] for row in rows]
    return observed


def _failing_call(gateway: Gateway, fake: HttpFake, failure: Any) -> dict[str, Any]:
    before = len(fake.of("tools/call"))
    fake.failure = failure
    answer = gateway.call("h")
    moments = [request.at for request in fake.of("tools/call")[before:]]
    pauses = [(later - earlier) * 1000 for earlier, later in pairwise(moments)]
    return {"answer": answer, "attempts": len(moments), "pauses_ms": Pauses(pauses) if pauses else []}


@scenario()
def http_backend_restarted(place: Place) -> Any:
    h = place.http("h")
    gateway = place.gateway([h.backend()], audit=False)
    observed: dict[str, Any] = {"before": "result" in gateway.call("h")}
    h.stop()
    answer, seconds = gateway.timed_call("h")
    observed["while away"] = [answer, 0.7 <= seconds <= 2]
    before = len(h.requests)
    h.start()
    observed["back again"] = gateway.call("h")
    observed["requests then"] = [request.method for request in h.requests[before:]]
    h.failure = "404 once"
    before = len(h.requests)
    observed["404 once (session forgotten)"] = [
        gateway.call("h"),
        [request.method for request in h.requests[before:]],
    ]
    return observed


def _tried(gateway: Gateway, h: HttpFake) -> tuple[dict[str, Any], int]:
    """The answer of one call, and how often it reached the backend."""
    before = len(h.of("tools/call"))
    return gateway.call("h"), len(h.of("tools/call")) - before


@scenario(9)
def breaker(place: Place) -> Any:
    settings: dict[str, Any] = {"circuit_breaker_threshold": 2, "circuit_breaker_recovery_secs": 2}
    h, child = place.http("h"), place.child("a", timeout_secs=1, **settings)
    gateway = place.gateway([h.backend(retries=0, **settings), child.backend])
    h.failure = 500
    four = [_tried(gateway, h) for _ in range(4)]
    time.sleep(2.1)
    failing = [_tried(gateway, h) for _ in range(3)]
    time.sleep(2.1)
    h.failure = None
    well = ["result" in gateway.call("h") for _ in range(2)]
    h.failure = 500
    gateway.call("h")
    next_tried = _tried(gateway, h)[1]
    time.sleep(2.1)
    h.failure = 404
    gateway.call("h")
    opened = [gateway.call("h").get("error", {}).get("code") == -32007 for _ in range(2)]
    for _ in range(4):
        gateway.call("rpcerror")
        gateway.call("iserror")
    good = gateway.call("echo")
    silent = [gateway.timed_call("noanswer") for _ in range(3)]
    return {
        "http, threshold 2: four calls (answer, requests)": [[answer["error"], tried] for answer, tried in four],
        "after recovery, still failing": [[answer["error"]["message"], tried] for answer, tried in failing],
        "after recovery, well": well,
        "one failure after closing: next is tried": next_tried,
        "404 counts as failure": all(opened),
        "four rpc errors and isErrors at stdio open it": "result" not in good,
        "stdio timeouts": [[answer["error"], Seconds(seconds)] for answer, seconds in silent],
        "another tool of it": gateway.call("echo"),
        "tools/list shows its tools": "echo" in gateway.names(),
        "gauges": gateway.gauges(),
        "ready": gateway.get("/ready")[0],
        "metrics": gateway.counters(),
        "rows": place.rows("tool_name, backend_name, response_status, error_message", expected=27)[-6:],
    }


@scenario(5)
def sse_never_ends(place: Place) -> Any:
    h = place.http("h")
    gateway = place.gateway([h.backend(retries=0, timeout_secs=2)], audit=False)
    h.failure = (6,)
    open_long = timed(gateway, "h")
    h.failure = (1,)
    answer, seconds = gateway.timed_call("h")
    return {
        "answer sent at once, stream closed after 6 s, timeout 2 s": open_long,
        "stream closed after 1 s": ["result" in answer, Seconds(seconds)],
    }


@scenario(8)
def stalled_child(place: Place) -> Any:
    child = place.child("a", timeout_secs=2)
    gateway = place.gateway([child.backend], audit=False)
    os.kill(child.pids()[0], signal.SIGSTOP)
    calls = [gateway.timed_call("echo", {"text": "x" * 40_000}) for _ in range(3)]
    os.kill(child.pids()[0], signal.SIGCONT)
    time.sleep(0.5)
    after = "result" in gateway.call("echo")
    return {
        "after it goes on": after,
        "late calls were run by the child": len(child.received("tools/call")),
        "stopped child: three calls of 40 KB": [[answer["error"], Seconds(seconds)] for answer, seconds in calls],
    }


@scenario(16)
def blocked_queue(place: Place) -> Any:
    h, child = place.http("h", call_seconds=30), place.child("a")
    gateway = place.gateway([h.backend(timeout_secs=2), child.backend], audit=False)
    began = time.monotonic()
    gateway.post("tools/call", {"name": "h"})
    listed = gateway.answer_to(gateway.post("tools/list"))
    assert listed
    started = len(h.of("tools/call"))
    gateway.post("tools/call", {"name": "sleep", "arguments": {"s": 6}})
    time.sleep(0.3)
    return {
        "tools/list behind an http call that hangs (timeout 2 s, default retries)": Seconds(listed.at - began),
        "times the tool was started at the backend": started,
        "4 KB lines taken while a call runs (of 2000)": Count(_lines_taken(gateway)),
    }


def _lines_taken(gateway: Gateway) -> int:
    """The number of lines of 4 KB that stdin takes within three seconds."""
    assert gateway.process.stdin
    number = gateway.process.stdin.fileno()
    os.set_blocking(number, False)
    line = b'{"jsonrpc":"2.0","method":"notifications/x","params":"'
    line += b"x" * (4096 - len(line) - 3) + b'"}\n'
    taken, end = 0, time.monotonic() + 3
    while taken < 2000 * 4096 and time.monotonic() < end:
        try:
            taken += os.write(number, line[taken % 4096 :])
        except BlockingIOError:
            time.sleep(0.01)
    os.set_blocking(number, True)
    return taken // 4096
