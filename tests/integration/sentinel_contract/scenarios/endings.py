"""Ends: stdin closed, signals, nobody reads, the gateway killed."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from tests.integration.sentinel_contract.driver import RUNNING, Gateway, processes_of, until
from tests.integration.sentinel_contract.place import Child, Place
from tests.integration.sentinel_contract.recording import Lines, OneOf, Seconds, Unordered
from tests.integration.sentinel_contract.scenarios import scenario

Part = Callable[[Place], Any]


def timed_end(
    gateway: Gateway, limit_seconds: float = 20, working_since: float | None = None
) -> tuple[int | str, Seconds]:
    """The exit code and the time until then; shorter by what work begun at `working_since` has already done."""
    began = time.monotonic()
    code = gateway.end(limit_seconds)
    done = began - (working_since or began)
    return code, Seconds(time.monotonic() - began, early=Seconds.early + done)


def events_of(child: Child) -> list[str]:
    return [
        f"signal{event['name']}" if event["event"] == "signal" else "stdin_eof"
        for event in child.events("signal", "eof")
    ]


@scenario(8)
def stdin_end(place: Place) -> Any:
    parts = {
        "a call of 4 s runs": _call_runs,
        "child that ignores SIGTERM and EOF": _stubborn_child,
        "during discovery of 3 s": _during_discovery,
        "four calls of 1 s are waiting": _four_wait,
        "idle": _idle,
        "no backend": _no_backend,
    }
    return side_by_side(place, parts)


def side_by_side(place: Place, parts: Mapping[str, Part]) -> dict[str, Any]:
    """Each part in a place of its own: folder and database."""

    def run(name: str) -> Any:
        folder = place.folder / f"part-{list(parts).index(name)}"
        with Place(folder, place.executable, place.database, place.new_url) as own:
            return parts[name](own)

    with ThreadPoolExecutor(len(parts)) as pool:
        return dict(zip(parts, pool.map(run, parts), strict=True))


def _call_runs(place: Place) -> dict[str, Any]:
    gateway = place.gateway([place.child("a").backend])
    sent = time.monotonic()
    own_id = gateway.post("tools/call", {"name": "sleep", "arguments": {"s": 4}})
    time.sleep(0.2)
    code, seconds = timed_end(gateway, working_since=sent)
    rows = place.rows("tool_name, response_status")
    answered = gateway.answer_to(own_id, 0.5) is not None
    return {"answered": answered, "exit": code, "rows": rows, "seconds": seconds}


def _stubborn_child(place: Place) -> dict[str, Any]:
    child = place.child("a", stubborn=True)
    gateway = place.gateway([child.backend])
    code, seconds = timed_end(gateway)
    return {"child alive after": _alive_then_killed(child), "exit": code, "seconds": seconds}


def _alive_then_killed(child: Child) -> bool:
    alive = processes_of(child.pids()[0])
    with contextlib.suppress(ProcessLookupError):
        os.kill(child.pids()[0], signal.SIGKILL)
    return alive


def _during_discovery(place: Place) -> dict[str, Any]:
    child = place.child("a", initialize_seconds=3)
    gateway = place.gateway([child.backend], initialize=False)
    until(lambda: child.received("initialize"), 10)
    code, seconds = timed_end(gateway)
    return {"exit": code, "seconds": seconds}


def _four_wait(place: Place) -> dict[str, Any]:
    gateway = place.gateway([place.child("a").backend])
    began = time.monotonic()
    sent = [gateway.post("tools/call", {"name": "sleep", "arguments": {"s": 1}}) for _ in range(4)]
    code, seconds = timed_end(gateway, working_since=began)
    answered = len([own_id for own_id in sent if gateway.answer_to(own_id, 0.5)])
    return {"answered": answered, "exit": code, "rows": len(place.rows("id")), "seconds": seconds}


def _idle(place: Place) -> dict[str, Any]:
    child = place.child("a")
    gateway = place.gateway([child.backend])
    for _ in range(20):
        gateway.call("echo")
    before = len(gateway.log("INFO"))
    code, seconds = timed_end(gateway)
    log = Unordered(gateway.log("INFO")[before:])
    rows = len(place.rows("id"))
    return {"child": events_of(child), "exit": code, "log": log, "rows": rows, "seconds": seconds}


def _no_backend(place: Place) -> dict[str, Any]:
    code, seconds = timed_end(place.gateway([]))
    return {"exit": code, "seconds": seconds}


@scenario(14)
def signals(place: Place) -> Any:
    named = ("SIGINT", "SIGPIPE", "SIGQUIT", "SIGTERM", "SIGUSR1")
    parts: dict[str, Part] = {name: partial(_signalled, name=name) for name in named}
    parts["SIGTERM and stdin end during a call of 3 s"] = _term_during_call
    parts["SIGTERM during discovery"] = _term_during_discovery
    parts["silent"] = _term_and_silence
    observed = side_by_side(place, parts)
    return {**{name: value for name, value in observed.items() if name != "silent"}, **observed["silent"]}


def _signalled(place: Place, name: str) -> dict[str, Any]:
    child = place.child("a", note_signals=["SIGTERM", "SIGINT"])
    # The recorded gateway was started in a shell's background, which ignores SIGQUIT; elsewhere it kills the gateway.
    ignoring = ("/bin/sh", "-c", 'trap "" QUIT; exec "$0" "$@"') if name == "SIGQUIT" else ()
    gateway = place.gateway([child.backend], through=ignoring)
    gateway.call("echo")
    before = len(gateway.log("INFO"))
    gateway.signal(name)
    time.sleep(0.5)
    code = gateway.wait(0)
    observed: dict[str, Any] = {"exit_within_half_s": None if code == RUNNING else code}
    if code == RUNNING:
        own_id = gateway.post("ping")
        answer = gateway.answer_to(own_id, 3)
        ended = "EOF" if gateway.silent else "nothing"
        observed["ping 0.5 s later"] = {"result": answer.message["result"]} if answer else ended
    else:
        observed["ping 0.5 s later"] = "-"
    observed["after that line: exit within 5 s"] = gateway.wait(5)
    observed["health port"] = gateway.get("/health")[0]
    observed["child"] = events_of(child)
    code, seconds = timed_end(gateway)
    log = gateway.log("INFO")[before:]
    rows = len(place.rows("id"))
    return {
        **observed,
        "exit after stdin end": code,
        "seconds": seconds,
        # The recording was taken while the last lines were being written.
        "log": Lines(log, ("Shutdown complete",)),
        "rows": rows if name != "SIGUSR1" else OneOf(rows, [0, 1]),
    }


def _term_during_call(place: Place) -> dict[str, Any]:
    child = place.child("a")
    gateway = place.gateway([child.backend])
    own_id = gateway.post("tools/call", {"name": "sleep", "arguments": {"s": 3}})
    time.sleep(0.5)
    gateway.signal("SIGTERM")
    code, seconds = timed_end(gateway)
    answer = gateway.answer_to(own_id, 0.5)
    return {
        "answer": [answer.message["error"]] if answer else [],
        "child": events_of(child),
        "exit": code,
        "rows": place.rows("response_status, error_message"),
        "seconds": seconds,
    }


def _term_during_discovery(place: Place) -> int | str:
    child = place.child("a", initialize_seconds=3)
    gateway = place.gateway([child.backend], initialize=False)
    until(lambda: child.received("initialize"), 10)
    gateway.signal("SIGTERM")
    return gateway.wait(5)


def _term_and_silence(place: Place) -> dict[str, Any]:
    gateway = place.gateway([place.child("a").backend])
    # Every line is taken before the signal: one that comes after it is the last.
    gateway.request("ping")
    gateway.signal("SIGTERM")
    silent = gateway.wait(8)
    gateway.signal("SIGTERM")
    twice = gateway.wait(1)
    code, seconds = timed_end(gateway)
    return {
        "SIGTERM, stdin open and silent: exit within 8 s": silent,
        "SIGTERM twice": twice,
        "then stdin closed": [code, seconds],
    }


@scenario(4)
def stdout_closed(place: Place) -> Any:
    child = place.child("a")
    gateway = place.gateway([child.backend], reader_apart=True)
    assert gateway.reader
    gateway.reader.kill()
    gateway.reader.wait(5)
    for _ in range(4):
        gateway.post("tools/call", {"name": "echo"})
        time.sleep(0.2)
    until(lambda: len(child.received("tools/call")) == 4, 5)
    running = gateway.wait(0) == RUNNING
    reached = len(child.received("tools/call"))
    code = gateway.end()
    return {
        "calls reaching the child": reached,
        "exit": code,
        "log": Lines(gateway.log("WARN", "ERROR", all_warnings=True)),
        "rows": len(place.rows("id")),
        "running after four calls": running,
    }


@scenario(4)
def gateway_killed(place: Place) -> Any:
    a, b = place.child("a"), place.child("b", prefix="b_", stubborn=True)
    gateway = place.gateway([a.backend, b.backend])
    for _ in range(30):
        gateway.call("echo")
    gateway.process.kill()
    gateway.process.wait(5)
    time.sleep(1)
    rows = len(place.rows("id"))
    # A busy machine's database takes fewer in the time of the calls; written in batches none would be there.
    many = rows >= 5
    return {
        "after SIGKILL of the gateway: child that ends at EOF lives": processes_of(a.pids()[0]),
        "child that ignores EOF lives": _alive_then_killed(b),
        "rows of 30 calls, killed right after the last answer": "at least 25" if many else rows,
    }


@scenario(6)
def stop_during_http_call(place: Place) -> Any:
    def stopped(own: Place, with_signal: bool) -> tuple[Any, Any]:
        h = own.http("h", call_seconds=30)
        gateway = own.gateway([h.backend(retries=0, timeout_secs=4)])
        gateway.post("tools/call", {"name": "h"})
        time.sleep(0.3)
        if with_signal:
            gateway.signal("SIGTERM")
        return list(timed_end(gateway)), own.rows("response_status")

    ways = side_by_side(
        place, {"end": partial(stopped, with_signal=False), "signal": partial(stopped, with_signal=True)}
    )
    what = "during an http call that hangs (timeout 4 s): exit, s"
    return {
        f"SIGTERM and stdin end {what}": ways["signal"][0],
        "SIGTERM and stdin end: rows": ways["signal"][1],
        f"stdin end {what}": ways["end"][0],
        "stdin end: rows": ways["end"][1],
    }
