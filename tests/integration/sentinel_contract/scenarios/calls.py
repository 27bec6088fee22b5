"""Calls: answers, what reaches the backend, metrics and audit rows; one at a time; cancellation."""

from __future__ import annotations

import time
from typing import Any

from tests.integration.sentinel_contract.driver import Gateway, without
from tests.integration.sentinel_contract.place import Place
from tests.integration.sentinel_contract.recording import Bucket, NotReplayed, Seconds, recorded
from tests.integration.sentinel_contract.scenarios import scenario

ROW = (
    "tool_name, backend_name, client_subject, client_role, request_args::text, response_status, error_message,"
    " request_id IS NOT NULL, latency_ms >= 0"
)
SHORT_ROW = "client_subject, client_role, tool_name, backend_name, request_args::text, response_status, error_message"
ROWS = 26
"""One for each of the 27 calls but the one with U+0000, which PostgreSQL refuses."""


@scenario(5)
def calls(place: Place) -> Any:
    child = place.child("a")
    rbac = {"roles": {"admin": {"permissions": ["*"], "denied_tools": ["pid"]}}}
    gateway = place.gateway([child.backend], rbac=rbac)
    observed: dict[str, Any] = {"metrics families at start": families(gateway)}
    # The recording says which params belong to which name, and so is the scenario's input too.
    params_of: dict[str, Any] = recorded("calls")["params of"]
    for name, params in params_of.items():
        observed[name] = {"answer": gateway.request("tools/call", params)}
    observed["metrics"] = gateway.counters()
    observed["duration counts"] = gateway.metrics("sentinel_request_duration_seconds_count")
    observed["one histogram"] = _histogram(gateway, "echo")
    observed["audit rows"] = place.rows(ROW, expected=ROWS)
    wanted = ("echo", "iserror", "rpcerror")
    reached = [message["params"] for message in child.received("tools/call")]
    observed["calls reaching the child"] = [params for params in reached if params["name"] in wanted][:4]
    observed["child got answers to its requests"] = [message for message in child.received() if "method" not in message]
    observed["params of"] = params_of
    return observed


def families(gateway: Gateway) -> list[str]:
    return [line for line in gateway.get("/metrics")[2].splitlines() if line.startswith("#")]


def _histogram(gateway: Gateway, tool: str) -> list[str | Bucket]:
    """The families with the one series of this tool, in the page's own order; without the sum's value."""
    kept: list[str | Bucket] = []
    for line in gateway.get("/metrics")[2].splitlines():
        if line.startswith("sentinel_request_duration_seconds_sum"):
            if f'tool="{tool}"' in line:
                kept.append("sentinel_request_duration_seconds_sum")
        elif "_duration_" in line and f'tool="{tool}"' in line:
            kept.append(Bucket(line) if "_bucket" in line else line)
        elif line.startswith("#"):
            kept.append(line)
    return kept


def at_once(gateway: Gateway, requests: list[tuple[str, Any]]) -> list[list[Any]]:
    """Requests written at once: (c and its number, seconds until its answer), in the order of the answers."""
    began = time.monotonic()
    numbers = {gateway.post(method, params): f"c{number}" for number, (method, params) in enumerate(requests)}
    for own_id in numbers:
        gateway.answer_to(own_id)
    lines = [line for line in gateway.lines if line.message.get("id") in numbers]
    return [[numbers[line.message["id"]], Seconds(line.at - began, late=0.8)] for line in lines]


def sleep(tool: str, seconds: float) -> tuple[str, Any]:
    return "tools/call", {"name": tool, "arguments": {"s": seconds}}


@scenario(14)
def concurrency(place: Place) -> Any:
    a, b = place.child("a"), place.child("b", prefix="b_")
    h = place.http("h", call_seconds=1)
    gateway = place.gateway([a.backend, b.backend, h.backend()])
    three = at_once(gateway, [sleep("sleep", 1)] * 3)
    falling = at_once(gateway, [sleep("sleep", seconds) for seconds in (2, 1, 0.2)])
    each = at_once(gateway, [sleep("sleep", 1), sleep("b_sleep", 1), ("tools/call", {"name": "h"})])
    others: list[tuple[str, Any]] = [("ping", None), ("tools/list", None), ("tools/call", {"name": "nope"})]
    behind = at_once(gateway, [sleep("sleep", 1.5), *others])
    running = gateway.post(*sleep("sleep", 1))
    time.sleep(0.3)
    began = time.monotonic()
    status = gateway.get("/health")[0]
    health = [status, Seconds(time.monotonic() - began)]
    gateway.answer_to(running)
    sent = [gateway.post("tools/call", {"name": "echo"}) for _ in range(300)]
    for own_id in sent:
        gateway.answer_to(own_id)
    came = [line.message["id"] for line in gateway.lines[-300:]]
    # Three, three, three, a sleep and an unknown tool, the one beside the health check, 300: as the recording has them.
    rows = len(place.rows("id", expected=312))
    return {
        "three sleeps of 1 s at one stdio backend: answers (id, seconds)": three,
        "2 s, 1 s, 0.2 s at one": falling,
        "one of 1 s at each of two stdio backends and one http": each,
        "ping, tools/list, unknown tool behind a call of 1.5 s": behind,
        "health during a call": health,
        "300 at once": {"answers": len(set(came)), "in order of sending": came == sent},
        "audit rows for all": rows,
    }


@scenario(5)
def cancellation(place: Place) -> Any:
    child = place.child("a")
    gateway = place.gateway([child.backend])
    began = time.monotonic()
    method, params = sleep("sleep", 3)
    gateway.send({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
    time.sleep(0.5)
    gateway.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}})
    ping = gateway.answer_to(gateway.post("ping"))
    assert ping
    return {
        "answer of the cancelled call": [line.message for line in gateway.lines if line.message.get("id") == 7],
        "child got cancelled": child.received("notifications/cancelled"),
        "metrics": gateway.counters(),
        "ping after the cancellation answered after, s": Seconds(ping.at - began),
        "rows": place.rows(SHORT_ROW, expected=1),
    }


@scenario(6)
def rest_and_speed(place: Place) -> Any:
    gateway = place.gateway([place.child("a").backend, place.http("h").backend()])
    for tool in ("echo", "h"):
        for many in (1, 20):
            for _ in range(400 // many):
                for own_id in [gateway.post("tools/call", {"name": tool}) for _ in range(many)]:
                    gateway.answer_to(own_id)
    observed: dict[str, Any] = dict.fromkeys(
        recorded("rest_and_speed"), NotReplayed("speed and memory belong to the published program and its machine")
    )
    return {**observed, "rows": len(place.rows("id", expected=1600, limit_seconds=30))}


@scenario()
def same_tool_rejections_in_latency(place: Place) -> Any:
    gateway = place.gateway([place.child("a").backend], rate_limits={"default_rpm": 2})
    for _ in range(6):
        gateway.call("sleep", {"s": 0.3})
    lines = gateway.metrics("sentinel_request_duration_seconds_bucket", "sentinel_request_duration_seconds_count")
    kept: list[str | Bucket] = [Bucket(line) for line in lines if 'le="0.005"' in line or 'le="0.25"' in line]
    kept += [line for line in lines if "_count" in line]
    return {"two calls of 0.3 s, four refused by the rate limit: buckets": kept}


@scenario()
def ready_states(place: Place) -> Any:
    observed: dict[str, Any] = {"no backends": _no_backends(place)}
    empty = place.gateway([], {"HEALTH_TOKEN": ""}, audit=False)
    observed["HEALTH_TOKEN empty: metrics without header"] = empty.get("/metrics")[0]
    observed["with empty bearer"] = empty.get("/metrics", {"Authorization": "Bearer "})[0]
    h = place.http("h", ping="500")
    gateway = place.gateway([h.backend(retries=0)])
    deadline = time.monotonic() + 5
    while gateway.gauges() != ['sentinel_backend_healthy{backend="h"} 0'] and time.monotonic() < deadline:
        time.sleep(0.05)
    observed["gauge"] = gateway.gauges()
    status, _, body = gateway.get("/ready")
    observed["only backend unhealthy"] = [status, body]
    for path in ("/", "/health", "/health/", "/metrics", "/nope", "/ready"):
        status, headers, body = gateway.get(path)
        observed[path] = [status, headers.get("content-type"), "…" if path == "/metrics" and body else body]
    observed["HEAD /health"] = gateway.get("/health", method="HEAD")[0]
    observed["POST /health"] = gateway.get("/health", method="POST")[0]
    document = place.document([place.child("a").backend])
    document["gateway"]["health_listen"] = f"127.0.0.1:{gateway.health_port}"
    held = place.gateway([], document=document)
    log = held.log("ERROR")
    observed["health port held"] = {"calls": "result" in held.call("echo"), "log": log}
    return observed


def _no_backends(place: Place) -> dict[str, Any]:
    gateway = place.gateway([], {"HEALTH_TOKEN": "of-the-health-port"})
    right = {"Authorization": "Bearer of-the-health-port"}
    status, headers, body = gateway.get("/metrics")
    ready, _, said = gateway.get("/ready")
    observed: dict[str, Any] = {
        "call": gateway.call("list_workflows"),
        "health needs none": gateway.get("/health")[0],
        "lower case bearer": gateway.get("/metrics", {"Authorization": "bearer of-the-health-port"})[0],
        "metrics body when empty": NotReplayed("the recording holds nothing here"),
        "metrics without token": [status, body, without(headers, "content-length", "date", "connection")],
        "ready": [ready, said],
        "tools": gateway.names(),
        "with": gateway.get("/metrics", right)[0],
        "wrong": gateway.get("/metrics", {"Authorization": "Bearer wrong"})[0],
    }
    gateway.call("nope")
    return {**observed, "rows": place.rows(SHORT_ROW, expected=2)}
