"""Discovery: requests to a backend at the start, the answers that are accepted, and the catalogue."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.integration.sentinel_contract import stdio_fake
from tests.integration.sentinel_contract.driver import Gateway, until
from tests.integration.sentinel_contract.http_fake import HttpFake
from tests.integration.sentinel_contract.place import Place
from tests.integration.sentinel_contract.recording import Lines, NotReplayed, Seconds, WithPings
from tests.integration.sentinel_contract.scenarios import scenario

WAYS = [
    "json", "sse", "ssecrlf", "ssenospace", "sseprime", "ssenotefirst", "ssenotefirstcall", "ssemulti", "sseopen",
    "chunked", "gzip", "session", "404", "500", "401", "html", "slow", "302", "307", "stateful", "needversion",
    "initerror", "listerror", "notif200", "notif400", "wrongid", "stringid", "noschema", "notools", "paged", "extras",
]  # fmt: skip
PATHS = {"pbase": "", "pslash": "/", "pmcpslash": "/mcp/", "pother": "/other", "pquery": "/mcp?k=1", "psub": "/x/mcp"}
TOOLS = {"paged": "paged0", "notools": "json"}


@scenario(8)
def http_discovery(place: Place) -> Any:
    fakes = {way: place.http(way, way, tool=TOOLS.get(way, way)) for way in WAYS}
    fakes |= {name: place.http(name) for name in PATHS}
    backends = [
        fake.backend(PATHS.get(name, "/mcp"), retries=0, timeout_secs=1 if name == "slow" else 3)
        for name, fake in fakes.items()
    ]
    gateway = place.gateway(backends, {"BACKEND_SHARED_SECRET": "shh"})
    tools = {tool["name"]: tool for tool in gateway.tools()}
    observed: dict[str, Any] = {"names": sorted(tools)}
    observed["seconds"] = NotReplayed("the sum of the pauses of the recording's own backends")
    for name, fake in fakes.items():
        observed[name] = one_way(gateway, fake, TOOLS.get(name, name) if name != "notools" else "notools__json", tools)
    headers = fakes["json"].requests[0].headers
    observed["json headers"] = {k: v for k, v in headers.items() if k not in ("host", "content-length")}
    observed["extras tool as listed"] = tools.get("extras")
    observed["log"] = gateway.log("WARN", "ERROR", all_warnings=True)
    return observed


def one_way(gateway: Gateway, fake: HttpFake, tool: str, tools: dict[str, Any]) -> dict[str, Any]:
    if tool not in tools:
        return {"registered": False, "requests": fake.lines()}
    until(lambda: fake.of("ping"), 5)
    observed: dict[str, Any] = {"registered": True, "requests": WithPings(fake.lines())}
    if fake.name != "notools":
        observed["call"] = gateway.call(tool)
        observed["call_id_header"] = list({request.headers.get("mcp-session-id") for request in fake.of("tools/call")})
    return observed


STDIO_WAYS = [
    "badutf8", "before", "before_request_other_id", "before_request_same_id", "bom", "exit_at_once", "init_error",
    "jsonline", "list_error", "missing command", "nonjson", "ok", "paged", "slow3", "string_ids",
]  # fmt: skip


@scenario(14)
def stdio_discovery(place: Place) -> Any:
    with ThreadPoolExecutor(4) as pool:
        observed = pool.map(one_child, [place] * len(STDIO_WAYS), STDIO_WAYS)
        return dict(zip(STDIO_WAYS, observed, strict=True))


def one_child(place: Place, way: str) -> dict[str, Any]:
    options: dict[str, Any] = {"exit_at_once": {"exit_at_once": True}, "slow3": {"initialize_seconds": 3}}.get(way, {})
    child = place.child(way, way=way, note_signals=[], timeout_secs=5, max_restarts=2, **options)
    if way == "missing command":
        child.backend["command"] = "/no/such"
    began = time.monotonic()
    gateway = place.gateway([child.backend], audit=False)
    seconds = time.monotonic() - began
    names = gateway.names()
    registered = "list_workflows" not in names
    observed: dict[str, Any] = {
        "registered": registered,
        "seconds": Seconds(seconds, late=4, early=1),
        "tools": len(names),
        "starts": len(child.pids()),
        "methods": child.methods(),
    }
    if way == "paged" or not registered:
        observed["names"] = names
    if not registered:
        observed["log"] = gateway.log("ERROR")
        observed["call list_workflows"] = gateway.call("list_workflows")
    gateway.kill()
    return observed


ODD = ["", "a.b", "a/b", "new\nline", 'q"uote', "with space", "x" * 128, "ünï"]


@scenario()
def names(place: Place) -> Any:
    a = place.child("a", names=["same", "same"])
    b, c = (place.child(name, names=["same"]) for name in ("b", "c"))
    odd = place.child("odd", names=ODD)
    gateway = place.gateway([a.backend, b.backend, c.backend, odd.backend])
    listed = [tool["name"] for tool in gateway.tools()]
    observed: dict[str, Any] = {
        # The recording holds the first two of three.
        "log": gateway.log("WARN", "ERROR")[:2],
        "names": sorted(_cut(name) for name in listed),
        "order is the backends' own": listed[-len(ODD) :] == ODD,
        "order same within a process": [tool["name"] for tool in gateway.tools()] == listed,
    }
    for name in ("same", "a__same", "b__same", "c__same"):
        observed[f"call {name}"] = gateway.call(name)
    for name in ODD:
        shown = name if len(name) < 20 else "x" * 12
        observed[f"call odd '{shown}'".replace("\n", "\\n")] = next(iter(gateway.call(name)))
    observed["metrics"] = [_cut(line) for line in gateway.metrics("sentinel_requests_total")]
    for child in (a, b, c):
        called = [message["params"]["name"] for message in child.received("tools/call")]
        observed[f"{child.backend['name']} was called as"] = called
    observed["rows"] = len(place.rows("id", expected=12))
    return observed


def _cut(text: str) -> str:
    return re.sub("x{20,}", "x…", text)


@scenario()
def list_order(place: Place) -> Any:
    child = place.child("a")
    orders = [[tool["name"] for tool in place.gateway([child.backend], audit=False).tools()] for _ in range(3)]
    own = [tool["name"] for tool in place.gateway([child.backend], audit=False).tools()]
    return {
        "same order at every start": orders[0] == orders[1] == orders[2],
        "the backend's own order": own == stdio_fake.TOOLS,
    }


SCHEMAS: dict[str, Any] = {
    "anyof": {"properties": {"v": {"anyOf": [{"type": "string"}, {"type": "null"}]}}},
    "badpattern": {"properties": {"v": {"type": "string", "pattern": "(((("}}},
    "badschema": {"type": "objekt"},
    "draft7": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {
            "u": {"type": "string", "format": "uri"},
            "e": {"enum": ["a", "b"]},
            "m": {"type": "integer", "minimum": 5},
        },
    },
    "empty": {},
    "pattern": {"properties": {"v": {"type": "string", "pattern": "^(?=a).*$"}}},
    "ref": {
        "properties": {"p": {"$ref": "#/$defs/P"}},
        "$defs": {"P": {"type": "object", "required": ["k"], "properties": {"k": {"type": "integer"}}}},
    },
    "remoteref": {"properties": {"p": {"$ref": "http://127.0.0.1:1/x.json"}}},
    "unknowndraft": {"$schema": "https://example.org/none", "properties": {"v": {"type": "string"}}},
    "unknownkey": {"type": "object", "x-own": 1},
}
CALLS = [
    'anyof {"v": 5}',
    'anyof {"v": null}',
    'badpattern {"v": "b"}',
    "badschema {}",
    'draft7 {"u": "not a uri at all"}',
    'draft7 {"u": "x", "e": "c"}',
    'draft7 {"u": "x", "extra": 1}',
    'draft7 {"u": "x", "m": "7"}',
    'draft7 {"u": "x", "m": 4}',
    'draft7 {"u": "x"}',
    'empty {"a": 1}',
    'pattern {"v": "b"}',
    'ref {"p": {"k": 1}}',
    'ref {"p": {}}',
    'remoteref {"p": 1}',
    'unknowndraft {"v": 1}',
    "unknownkey {}",
]


@scenario()
def schemas(place: Place) -> Any:
    child = place.child("a", names=list(SCHEMAS), schemas=SCHEMAS)
    gateway = place.gateway([child.backend], audit=False)
    observed: dict[str, Any] = {"listed": gateway.names()}
    for call in CALLS:
        name, _, arguments = call.partition(" ")
        answer = gateway.call(name, json.loads(arguments))
        observed[call] = answer.get("error", "ok")
    lines = [line for line in gateway.log("WARN", all_warnings=True) if "Postgres URL" not in line]
    observed["log"] = Lines(lines)
    return observed
