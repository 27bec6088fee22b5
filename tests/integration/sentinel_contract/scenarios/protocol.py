"""The client's side of the protocol: handshake, methods, ids, lines, sizes, and what numbers and texts become."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.integration.sentinel_contract.driver import Gateway, without
from tests.integration.sentinel_contract.place import Place
from tests.integration.sentinel_contract.recording import NotReplayed, Seconds
from tests.integration.sentinel_contract.scenarios import scenario

VERSIONS = ["", "2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2099-01-01"]
INFO = {"name": "probe", "version": "1"}
NO_PARAMS = object()
WRONG: dict[str, Any] = {
    "capabilities missing": {"protocolVersion": "2025-11-25", "clientInfo": INFO},
    "empty params": {},
    "no clientInfo": {"protocolVersion": "2025-11-25", "capabilities": {}},
    "no params": None,
    "params list": [None],
    "version number": {"protocolVersion": 1, "capabilities": {}, "clientInfo": INFO},
}


@scenario()
def initialize(place: Place) -> Any:
    child = place.child("a")
    observed: dict[str, Any] = {}
    for version in VERSIONS:
        gateway = place.gateway([child.backend], initialize=False, audit=False)
        params = {"protocolVersion": version, "capabilities": {}, "clientInfo": INFO}
        observed[f"version '{version}'"] = gateway.request("initialize", params)
        gateway.kill()
    for name, params in WRONG.items():
        gateway = place.gateway([child.backend], initialize=False, audit=False)
        observed[name] = gateway.request("initialize", params)
        observed[f"{name}, then tools/list"] = gateway.request("tools/list")
        gateway.kill()
    return observed


OPERATIONAL = [
    "", "completion/complete", "logging/setLevel", "ping", "prompts/get", "prompts/list", "resources/list",
    "resources/read", "resources/subscribe", "resources/templates/list", "server/discover", "tasks/list",
]  # fmt: skip


def _ok(answer: dict[str, Any]) -> Any:
    return "ok" if "result" in answer else answer


@scenario()
def lifecycle(place: Place) -> Any:
    child = place.child("a")
    call: dict[str, Any] = {"name": "echo", "arguments": {}}
    params: dict[str, Any] = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": INFO}
    observed: dict[str, Any] = {}
    gateway = place.gateway([child.backend], initialize=False, audit=False)
    for method in ("nonsense", "ping", "resources/list", "tools/call", "tools/list"):
        observed[f"before initialize {method}"] = gateway.request(method, call if method == "tools/call" else None)
    observed["initialize"] = _ok(gateway.request("initialize", params))
    for method in ("initialize", "tools/call", "tools/list", "ping"):
        given = {"initialize": params, "tools/call": call}.get(method)
        answer = gateway.request(method, given)
        observed[f"between initialize and initialized {method}"] = _ok(answer)
    observed["calls that reached the child"] = len(child.received("tools/call"))
    gateway.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
    for method in OPERATIONAL:
        observed[f"operational {method}"] = gateway.request(method)
    listed = gateway.request("tools/list")["result"]
    observed["operational tools/list"] = f"{len(listed['tools'])} tools, keys {sorted(listed)}"
    observed["tool keys listed"] = NotReplayed("the recording holds nothing here")
    notes = b"".join(
        json.dumps({"jsonrpc": "2.0", "method": method}).encode() + b"\n"
        for method in ("notifications/cancelled", "notifications/roots/list_changed", "notifications/nonsense", "ping")
    )
    observed["answers to notifications"] = gateway.written(notes)
    gateway.request("initialize", params)
    observed["second initialize, then tools/list"] = gateway.request("tools/list")
    gateway.kill()
    gateway = place.gateway([child.backend], initialize=False, audit=False)
    gateway.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
    observed["after initialized without initialize: tools/list"] = gateway.request("tools/list")
    return observed


IDS: list[tuple[str, str]] = [
    ("''", '""'),
    ("'string'", '"string"'),
    ("'üüü'", '"üüü"'),
    ("-1", "-1"),
    ("0", "0"),
    ("1.0", "1.0"),
    ("1.5", "1.5"),
    ("18446744073709551615", "18446744073709551615"),
    ("18446744073709551616", "18446744073709551616"),
    ("1e+300", "1e+300"),
    ("9223372036854775807", "9223372036854775807"),
    ("9223372036854775808", "9223372036854775808"),
    ("None", "null"),
    ("True", "true"),
    ("[1]", "[1]"),
    ("{'a': 1}", '{"a": 1}'),
]


@scenario(6)
def ids(place: Place) -> Any:
    gateway = place.gateway([place.child("a").backend], audit=False)
    observed: dict[str, Any] = {}
    for name, own_id in IDS:
        ping = f'{{"jsonrpc":"2.0","id":{own_id},"method":"ping"}}\n'
        call = f'{{"jsonrpc":"2.0","id":{own_id},"method":"tools/call","params":{{"name":"echo"}}}}\n'
        answers = gateway.written((ping + call).encode(), 0.3)
        observed[name] = [
            without(answer["error"], "data") if "error" in answer else {"id": answer["id"]} for answer in answers
        ]
    calls = [
        {"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"name": "echo", "arguments": {"text": text}}}
        for text in ("0", "1")
    ]
    answers = gateway.written("".join(json.dumps(call) + "\n" for call in calls).encode(), 0.5)
    observed["two calls with the same id"] = [
        [answer["id"], answer["result"]["content"][0]["text"]] for answer in answers
    ]
    return observed


P = b'{"jsonrpc":"2.0","id":9,"method":"ping"}'
RAW: dict[str, bytes] = {
    "CRLF": P + b"\r\n",
    "NaN": b'{"jsonrpc":"2.0","id":9,"method":"ping","params":NaN}\n',
    "an answer": b'{"jsonrpc":"2.0","id":9,"result":{}}\n',
    "array as struct": b'["2.0",9,"ping",null]\n',
    "batch of two": b"[" + P + b"," + P + b"]\n",
    "byte order mark": b"\xef\xbb\xbf" + P + b"\n",
    "depth 200": b'{"jsonrpc":"2.0","id":9,"method":"ping","params":' + b"[" * 200 + b"]" * 200 + b"}\n",
    "duplicate keys": b'{"jsonrpc":"2.0","id":9,"id":9,"method":"ping"}\n',
    "empty batch": b"[]\n",
    "empty line": b"\n",
    "invalid JSON": b"{nonsense}\n",
    "jsonrpc 1.0": b'{"jsonrpc":"1.0","id":9,"method":"ping"}\n',
    "leading spaces": b"   " + P + b"\n",
    "lone surrogate": b'{"jsonrpc":"2.0","id":9,"method":"ping","params":{"a":"\\ud83d"}}\n',
    "method number": b'{"jsonrpc":"2.0","id":9,"method":5}\n',
    "no jsonrpc": b'{"id":9,"method":"ping"}\n',
    "no method": b'{"jsonrpc":"2.0","id":9}\n',
    "null": b"null\n",
    "number": b"5\n",
    "spaces": b"   \n",
    "string": b'"x"\n',
    "two in one line": P + P + b"\n",
}


@scenario(10)
def raw_lines(place: Place) -> Any:
    child = place.child("a")
    gateway = place.gateway([child.backend], audit=False)
    observed: dict[str, Any] = {}
    for name, line in RAW.items():
        observed[name] = [without(answer, "jsonrpc") for answer in gateway.written(line)]
    before = len(gateway.lines)
    gateway.write(P[:12])
    time.sleep(0.2)
    gateway.write(P[12:] + b"\n")
    time.sleep(0.3)
    observed["line in two writes"] = len(gateway.lines) - before
    before = len(gateway.lines)
    gateway.write(P)
    code = gateway.end()
    observed["last line without newline, then end"] = {"answered": len(gateway.lines) > before, "exit": code}
    observed["invalid UTF-8"] = _invalid_utf8(place.gateway([child.backend], audit=False))
    return observed


def _invalid_utf8(gateway: Gateway) -> dict[str, Any]:
    gateway.written(b'{"jsonrpc":"2.0","id":9,"method":"\xff\xfe"}\n')
    code = gateway.wait(10)
    last = gateway.answer_to(9, 0.1)
    return {"exit": code, "last": last and last.message, "log": gateway.log("ERROR")}


MEGABYTE = 1024 * 1024


@scenario(8)
def sizes(place: Place) -> Any:
    child, h = place.child("a"), place.http("h")
    gateway = place.gateway([child.backend, h.backend()])
    observed: dict[str, Any] = {}
    for size in (1, 5, 20):
        answer, seconds = gateway.timed_call("len", {"text": "x" * size * MEGABYTE})
        right = answer.get("result", {}).get("content", [{}])[0].get("text") == str(size * MEGABYTE)
        observed[f"argument {size} MB to stdio"] = ["ok" if right else str(answer)[:100], _quick(seconds)]
        for tool, kind in (("big", "stdio"), ("h", "http")):
            answer, seconds = gateway.timed_call(tool, {"size": size * MEGABYTE})
            text = answer.get("result", {}).get("content", [{}])[0].get("text", str(answer)[:100])
            observed[f"result {size} MB from {kind}"] = [len(text), _quick(seconds)]
    observed["alive after"] = "result" in gateway.call("echo")
    observed["rss after, MB"] = NotReplayed("belongs to the published program's allocator")
    rows = place.rows("tool_name, length(request_args::text)", expected=10)
    observed["audit rows and size of args"] = [[tool, length // MEGABYTE] for tool, length in rows]
    observed["log"] = gateway.log("WARN", "ERROR", all_warnings=True)
    return observed


def _quick(seconds: float) -> str:
    return "under 3 s" if seconds < 6 else f"{seconds:.0f} s"


ARGUMENTS = [
    '"\\u0000"', '"\\ud83d"', '"\\ud83d\\ude00"', "-9223372036854775809", "0.1", "1.0", "1.7976931348623157e308",
    "123456789012345678901234567890", "18446744073709551615", "18446744073709551616", "1e400", "9007199254740993",
    "NaN", '{"z":1,"a":2}',
]  # fmt: skip
ANSWERS: dict[str, str] = {
    "CRLF": '{"jsonrpc":"2.0","id":ID,"result":{"content":[]}}\r',
    "NaN": '{"jsonrpc":"2.0","id":ID,"result":{"content":[],"structuredContent":{"n":NaN}}}',
    "big integer": (
        '{"jsonrpc":"2.0","id":ID,"result":{"structuredContent":{"z":1,"n":18446744073709551616,"a":2},"content":[]}}'
    ),
    "error code is huge": '{"jsonrpc":"2.0","id":ID,"error":{"code":99999999999,"message":"x"}}',
    "error is a string": '{"jsonrpc":"2.0","id":ID,"error":"x"}',
    "error without code": '{"jsonrpc":"2.0","id":ID,"error":{"message":"x"}}',
    "extra member": '{"jsonrpc":"2.0","id":ID,"result":{"content":[]},"own":1}',
    "id as float": '{"jsonrpc":"2.0","id":ID.0,"result":{"content":[]}}',
    "lone surrogate": '{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"text","text":"\\ud83d"}]}}',
    "nesting 130": '{"jsonrpc":"2.0","id":ID,"result":' + "[" * 130 + "]" * 130 + "}",
    "no jsonrpc": '{"id":ID,"result":{"content":[]}}',
    "pretty over several lines": '{\n"jsonrpc":"2.0",\n"id":ID,\n"result":{"content":[]}\n}',
    "result beside error": '{"jsonrpc":"2.0","id":ID,"result":{"content":[]},"error":{"code":1,"message":"x"}}',
}


@scenario(14)
def fidelity(place: Place) -> Any:
    gateway = place.gateway([place.child("a", timeout_secs=2).backend], audit=False, rate_limits={"default_rpm": 1000})
    observed: dict[str, Any] = {}
    for text in ARGUMENTS:
        observed[f"argument {text}"] = _echoed(gateway, text)
    for depth in (120, 130):
        answer = _echoed(gateway, "[" * depth + "1" + "]" * depth)
        observed[f"argument nested {depth} deep"] = answer if isinstance(answer, dict) else "passed"
    for name, line in ANSWERS.items():
        answer, seconds = gateway.timed_call("raw", {"line": line})
        observed[f"answer line: {name}"] = [answer, Seconds(seconds)]
    return observed


def _echoed(gateway: Gateway, text: str) -> Any:
    """The argument as it came back, or the error with its id."""
    params = f'{{"name":"echo","arguments":{{"text":{text}}}}}'
    before = len(gateway.lines)
    gateway.write(f'{{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{params}}}\n'.encode())
    deadline = time.monotonic() + 10
    while len(gateway.lines) == before and time.monotonic() < deadline:
        time.sleep(0.01)
    if len(gateway.lines) == before:
        return "no answer"
    message = gateway.lines[before].message
    if "error" in message:
        return {**message["error"], "id": message["id"]}
    return json.loads(message["result"]["content"][0]["text"])
