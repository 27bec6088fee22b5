"""Limits: roles, rate limits, the kill switch, and their reload."""

from __future__ import annotations

import time
from typing import Any

import tomli_w

from tests.integration.sentinel_contract.driver import Gateway, until
from tests.integration.sentinel_contract.place import Place, token
from tests.integration.sentinel_contract.recording import NotReplayed, Within
from tests.integration.sentinel_contract.scenarios import scenario
from tests.integration.sentinel_contract.scenarios.calls import SHORT_ROW

ROLES: dict[str, Any] = {
    "none": {},
    "read": {"permissions": ["tools.read"]},
    "exec": {"permissions": ["tools.execute"]},
    "star": {"permissions": ["*"], "denied_tools": ["echo"]},
    "denybackend": {"permissions": ["*"], "denied_tools": ["a", "a__echo", "ec*"]},
    "odd": {"permissions": ["tools.*", "admin"]},
}


@scenario(5)
def rbac(place: Place) -> Any:
    child = place.child("a")
    observed: dict[str, Any] = {}
    for role in (*ROLES, "ghost"):
        environment: dict[str, str | None] = {"SENTINEL_TOKEN": token(role=role, sub=f"s-{role}")}
        recorded_in_full = role in ("none", "star")
        gateway = place.gateway([child.backend], environment, rbac={"roles": ROLES}, audit=recorded_in_full)
        names = gateway.names()
        echo, pid = gateway.call("echo"), gateway.call("pid")
        observed[role] = {
            "echo": echo,
            "pid": "ok" if "result" in pid else pid,
            "unknown": gateway.call("nope"),
            "echo listed": "echo" in names,
            "listed": len(names),
        }
        if recorded_in_full:
            observed[role]["metrics"] = gateway.counters()
            rows = place.rows(SHORT_ROW, expected=3 if role == "none" else 6)
            observed[role]["rows"] = [row for row in rows if row[1] == role]
        gateway.kill()
    return observed


def _short(answer: dict[str, Any]) -> Any:
    return "ok" if "result" in answer else answer["error"]


def _codes(gateway: Gateway, tool: str, times: int, arguments: Any = None) -> list[Any]:
    answers = [_short(gateway.call(tool, arguments)) for _ in range(times)]
    return [answer if answer == "ok" else answer["code"] for answer in answers]


KILLED = ("sentinel_errors_total", "sentinel_requests_total")


@scenario(8)
def hot_reload(place: Place) -> Any:
    a, b = place.child("a"), place.child("b", prefix="b_")
    limits = {"default_rpm": 3, "per_tool": {"meta": 1, "len": 0}}
    document = place.document([a.backend, b.backend], rate_limits=limits)
    gateway = place.gateway([], document=document)
    observed: dict[str, Any] = {
        "default_rpm 3: five calls of echo": [_short(gateway.call("echo")) for _ in range(5)],
        "another tool is its own bucket": "result" in gateway.call("iserror"),
        "per_tool 1": [_short(gateway.call("meta")) for _ in range(2)],
        "per_tool 0": gateway.call("len", {"text": "x"}),
        "unknown tool is limited too": _codes(gateway, "nope", 5),
        "invalid arguments use the bucket": _codes(gateway, "strict", 5),
        "ping and list are not limited": all(
            "result" in gateway.request(method) for method in ("ping", "tools/list") * 5
        ),
        "rate metrics": gateway.metrics(*KILLED, "sentinel_rate_limit_hits_total"),
    }
    # Kill switch and new limits.
    document["rate_limits"] = {"default_rpm": 2}
    document["kill_switch"] = {"disabled_tools": ["echo", "ghost"], "disabled_backends": ["b"]}
    observed["reload log"] = _reload(gateway, tomli_w.dumps(document))
    observed["killed tool"] = gateway.call("echo")
    observed["killed backend"] = gateway.call("b_echo")
    observed["killed unknown"] = gateway.call("ghost")
    names = gateway.names()
    observed["list hides"] = ["echo" in names, "b_echo" in names]
    observed["bucket after reload"] = _codes(gateway, "iserror", 3)
    observed["metrics"] = _of_the_kill_switch(gateway)
    # Files that cannot be taken, and then still the last good one.
    observed["broken file"] = _reload(gateway, "this is not TOML")
    hot = {name: document[name] for name in ("rate_limits", "kill_switch")}
    observed["only hot tables (no gateway, auth, postgres)"] = _reload(gateway, tomli_w.dumps(hot))
    observed["then still"] = "result" in gateway.call("meta", {"a": 1})
    gateway.file.unlink()
    gateway.signal("SIGHUP")
    time.sleep(0.3)
    observed["file gone"] = any("Failed to read config file" in line for line in gateway.log("ERROR"))
    document["rate_limits"] = {"default_rpm": 0}
    killed = place.gateway([], document=document, audit=False)
    observed["order of checks: killed before limit"] = _codes(killed, "echo", 3)
    # A role is not taken again.
    del document["kill_switch"]
    document["rate_limits"] = {"default_rpm": 100}
    document["rbac"] = {"roles": {"admin": {"permissions": []}}}
    _reload(gateway, tomli_w.dumps(document))
    again = [gateway.call("b_echo"), gateway.call("pid"), gateway.call("pid")]
    observed["reload of rbac"] = all("result" in answer for answer in again)
    observed["applied"] = "not applied"
    observed["killed calls use the bucket"] = NotReplayed("the recording holds nothing here")
    observed["audit"] = _rows(place)
    return observed


def _rows(place: Place) -> list[Any]:
    """Tool, backend, status, message; the latency is compared only where it was none."""
    rows = place.rows("tool_name, backend_name, response_status, error_message, latency_ms", expected=29)
    return [[*row[:4], Within(row[4], 60)] for row in rows]


def _of_the_kill_switch(gateway: Gateway) -> list[str]:
    lines = gateway.metrics(*KILLED, "sentinel_rate_limit_hits_total")
    return [line for line in lines if "killed" in line or "rate_limit_hits" in line]


def _reload(gateway: Gateway, text: str) -> list[str]:
    """The log lines of a reload with this file."""
    gateway.file.write_text(text)
    before = len(gateway.log("INFO", "ERROR"))
    gateway.signal("SIGHUP")
    until(lambda: len(gateway.log("INFO", "ERROR")) >= before + 2, 5)
    return gateway.log("INFO", "ERROR")[before:]


@scenario(64)
def rate_window(place: Place) -> Any:
    gateway = place.gateway([place.child("a").backend], audit=False, rate_limits={"default_rpm": 2})
    began = time.monotonic()
    answers: list[Any] = []
    for second in (0, 1, 2, 30, 45, 58, 61.5, 62, 62.5):
        time.sleep(max(0.0, began + second - time.monotonic()))
        answer = gateway.call("echo")
        if "result" in answer:
            answers.append([second, "ok"])
        else:
            data = answer["error"]["data"]
            answers.append([second, {name: Within(value, 1) for name, value in data.items()}])
    return {"two a minute: call at second -> answer": answers}
