"""Backends that go away: what the health port says of them, and the child that has no second life."""

from __future__ import annotations

import os
import signal
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.integration.sentinel_contract.driver import Gateway, until
from tests.integration.sentinel_contract.place import Child, Place
from tests.integration.sentinel_contract.recording import Lines, Seconds, Unordered
from tests.integration.sentinel_contract.scenarios import scenario
from tests.integration.sentinel_contract.scenarios.failures import NEVER, timed


@scenario(38)
def health_checks(place: Place) -> Any:
    often: dict[str, Any] = {"health_interval_secs": 2}
    h, np, st = place.http("h"), place.http("np", ping="error"), place.http("st", ping="400")
    child = place.child("a", **often)
    backends = [h.backend(retries=1, **often), np.backend(**often), st.backend(**often), child.backend]
    began = time.monotonic()
    gateway = place.gateway(backends, audit=False)
    killed: list[Any] = []
    beside = threading.Thread(target=lambda: killed.append(_killed_child(place)))
    beside.start()
    time.sleep(max(0.0, began + 1.5 - time.monotonic()))
    until(lambda: gateway.gauges()[-1].endswith(" 0"), 3)
    observed: dict[str, Any] = {"after 1.5 s": gateway.gauges(), "pings": len(h.of("ping"))}
    time.sleep(max(0.0, began + 8 - time.monotonic()))
    observed["http pings within 8 s of an interval of 2 s"] = len(h.of("ping"))
    h.ping = "500"
    until(lambda: len(h.of("ping")) >= 3 and gateway.gauges()[1].endswith(" 0"), 30)
    time.sleep(max(0.0, began + 34 - time.monotonic()))
    pings = h.of("ping")
    gaps = [later.at - earlier.at for earlier, later in pairwise(pings)]
    status, _, body = gateway.get("/ready")
    beside.join()
    return {
        **observed,
        "after failing ping": gateway.gauges(),
        "call is still passed on": "result" in gateway.call("h"),
        "child got ping": len(child.received("ping")),
        "child pings": len(child.received("ping")),
        "gauge of a killed stdio backend after 6 s": killed[0],
        "http pings within 34 s": len(pings),
        # The backends are checked in an order that is another at each start.
        "log": Unordered([line for line in gateway.log("WARN") if "::health::" in line]),
        "ping body": [pings[0].message],
        "ready": [status, body],
        "seconds between pings": [Seconds(gap) for gap in gaps],
    }


def _killed_child(place: Place) -> list[str]:
    child = place.child("killed")
    child.backend["name"] = "a"
    gateway = place.gateway([child.backend], audit=False)
    os.kill(child.pids()[0], signal.SIGKILL)
    time.sleep(6)
    return gateway.gauges()


@scenario(26)
def stdio_death(place: Place) -> Any:
    settings: dict[str, Any] = {"timeout_secs": 4, "circuit_breaker_threshold": NEVER}
    a, b, c = (place.child(name, prefix=f"{name}_", restart_on_exit=name != "b", **settings) for name in "abc")
    gateway = place.gateway([a.backend, b.backend, c.backend], audit=False)
    beside: dict[str, Any] = {}
    thread = threading.Thread(target=lambda: beside.update(_invalid_utf8(place)))
    thread.start()
    os.kill(a.pids()[0], signal.SIGKILL)
    # Where the call comes within milliseconds of the death, chance decides between one lost call and two.
    time.sleep(0.3)
    four = [timed(gateway, "a_echo") for _ in range(4)]
    time.sleep(4)
    later = [timed(gateway, "a_echo") for _ in range(2)]
    dying = timed(gateway, "c_die")
    time.sleep(0.3)
    next_call = timed(gateway, "c_echo")
    time.sleep(1)
    some_seconds_later = timed(gateway, "c_echo")
    log = [line for line in gateway.log("INFO", "WARN", "ERROR", all_warnings=True) if _of_the_death(line)]
    os.kill(b.pids()[0], signal.SIGKILL)
    time.sleep(0.3)
    of_b = [timed(gateway, "b_echo") for _ in range(2)]
    thread.join()
    return {
        **beside,
        "killed between calls: next four calls": four,
        "4 s later": later,
        "dies during a call": dying,
        "next call at once": next_call,
        "some seconds later": some_seconds_later,
        "b calls": of_b,
        "alive children of a": len([pid for pid in a.pids() if Path(f"/proc/{pid}").exists()]),
        "starts of a": len(a.pids()),
        "signals to the second child": [event["name"] for event in a.events("signal")],
        "restart_on_exit false: starts": len(b.pids()),
        "listed still": sorted({name[:2] for name in gateway.names()}),
        "gauges": gateway.gauges(),
        "ready": gateway.get("/ready")[0],
        "zombies": _zombies(gateway, [a, b, c]),
        # The recording ends before the calls to c have timed out.
        "log": Lines([line for line in log if not _ends_later(line)], ("stdin write failed", "Postgres URL")),
    }


def _of_the_death(line: str) -> bool:
    return not line.startswith("INFO") or "restarting" in line


def _ends_later(line: str) -> bool:
    return line.endswith("backend=c") and ("timed out" in line or "is closed" in line or "tools channel" in line)


def _invalid_utf8(place: Place) -> dict[str, Any]:
    u = place.child("u", timeout_secs=4)
    gateway = place.gateway([u.backend], audit=False)
    broken = gateway.call("badutf8")
    time.sleep(0.3)
    after = [timed(gateway, "echo") for _ in range(2)]
    until(lambda: len(u.pids()) == 2, 3)
    return {"child writes invalid UTF-8": broken, "after that": after, "u starts": len(u.pids())}


def _zombies(gateway: Gateway, children: list[Child]) -> int:
    states = [Path(f"/proc/{pid}/stat") for child in children for pid in child.pids()]
    return len([state for state in states if state.exists() and ") Z " in state.read_text()])
