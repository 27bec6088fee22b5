"""Kinds of outages, brought about at a gateway; its metrics and its lines about lost audit rows, before and after.

    GATEWAY_UNDER_TEST=/path/of/an/executable .venv/bin/python -m tests.integration.alerts.outages

writes those of the published program into `tests/testdata/sentinel/outages.json`, for the tests of the alerts.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypedDict, cast

from bridge.measures import AUDIT_ROW_LOST
from console.paths import ROOT
from tests.integration.bridge.postgres import Database, running_postgres
from tests.integration.sentinel_contract.driver import Gateway, until
from tests.integration.sentinel_contract.place import Place, gateway_under_test
from tests.integration.sentinel_contract.relay import Relay

FILE = ROOT / "tests" / "testdata" / "sentinel" / "outages.json"
HANG_SECONDS = 11
"""Above the histogram's largest bucket."""
GOOD_CALLS = 10


class Recorded(TypedDict):
    """Lines of /metrics before and after the outage, and the log's lines about audit rows of the time between."""

    before: list[str]
    after: list[str]
    log: list[str]


Outage = Callable[[Place], Recorded]


def http_errors(place: Place) -> Recorded:
    """A backend answers HTTP 500: five calls, and then the breaker refuses fifty."""
    h = place.http("h")
    with_gateway = _Watched(place.gateway([h.backend(retries=0)], audit=False), "h")
    h.failure = 500
    return with_gateway.after(lambda gateway: [gateway.call("h") for _ in range(55)])


def hanging_backend(place: Place) -> Recorded:
    """A backend gives no answer; one call waits for its limit, and then the breaker refuses two hundred."""
    h = place.http("h")
    backend = h.backend(retries=0, timeout_secs=HANG_SECONDS, circuit_breaker_threshold=1)
    watched = _Watched(place.gateway([backend], audit=False), "h")
    h.call_seconds = HANG_SECONDS + 2
    return watched.after(lambda gateway: [gateway.call("h") for _ in range(201)])


def dead_child(place: Place) -> Recorded:
    """A stdio backend's program was killed: one call waits for its limit, the others fail at once."""
    child = place.child("a", timeout_secs=HANG_SECONDS)
    watched = _Watched(place.gateway([child.backend], audit=False), "echo")
    os.kill(child.pids()[0], signal.SIGKILL)
    return watched.after(lambda gateway: [gateway.call("echo") for _ in range(5)])


def unhealthy_backend(place: Place) -> Recorded:
    """A backend fails the gateway's own check, and is not called."""
    h = place.http("h")
    watched = _Watched(place.gateway([h.backend(retries=0)], audit=False), "h")
    h.ping = "500"
    return watched.after(lambda gateway: until(lambda: gateway.gauges()[-1].endswith(" 0"), 40))


def wrong_arguments(place: Place) -> Recorded:
    """A client calls a tool with arguments that its schema refuses."""
    watched = _Watched(place.gateway([place.child("a").backend], audit=False), "echo")
    return watched.after(lambda gateway: [gateway.call("strict", {"n": "x"}) for _ in range(5)])


def unknown_tool(place: Place) -> Recorded:
    watched = _Watched(place.gateway([place.child("a").backend], audit=False), "echo")
    return watched.after(lambda gateway: [gateway.call("nope") for _ in range(5)])


def kill_switch(place: Place) -> Recorded:
    """The operator switched a tool off."""
    switched_off = {"disabled_tools": ["pid"]}
    watched = _Watched(place.gateway([place.child("a").backend], audit=False, kill_switch=switched_off), "echo")
    return watched.after(lambda gateway: [gateway.call("pid") for _ in range(50)])


def rate_limit(place: Place) -> Recorded:
    """A client reaches the limit that the operator set."""
    limits = {"default_rpm": GOOD_CALLS}
    watched = _Watched(place.gateway([place.child("a").backend], audit=False, rate_limits=limits), "echo")
    return watched.after(lambda gateway: [gateway.call("echo") for _ in range(50)])


def denied_tool(place: Place) -> Recorded:
    """A tool that the role may not use."""
    roles = {"admin": {"permissions": ["*"], "denied_tools": ["pid"]}}
    watched = _Watched(place.gateway([place.child("a").backend], audit=False, rbac={"roles": roles}), "echo")
    return watched.after(lambda gateway: [gateway.call("pid") for _ in range(50)])


def _without_its_database(place: Place) -> _Watched:
    """A gateway whose good calls have their rows, and whose database is out of reach from now on."""
    relay = Relay(place.database.port).open()
    place.stack.callback(relay.cut)
    url = place.url.replace(f":{place.database.port}/", f":{relay.port}/")
    watched = _Watched(place.gateway([place.child("a").backend], {"DATABASE_URL": url}), "echo")
    place.rows("id", expected=GOOD_CALLS)
    relay.cut()
    return watched


def lost_database(place: Place) -> Recorded:
    """Calls are answered while no row can be written."""
    return _without_its_database(place).after(lambda gateway: [gateway.call("echo") for _ in range(5)], 1)


def full_audit_channel(place: Place) -> Recorded:
    """More rows wait for the database than may."""
    return _without_its_database(place).after(lambda gateway: [gateway.call("echo") for _ in range(1030)], 1)


def zero_character(place: Place) -> Recorded:
    """An argument that PostgreSQL cannot hold."""
    watched = _Watched(place.gateway([place.child("a").backend]), "echo")
    return watched.after(lambda gateway: [gateway.call("echo", {"text": "a\0b"}) for _ in range(3)], 3)


OUTAGES: dict[str, Outage] = {
    made.__name__: made
    for made in (
        http_errors, hanging_backend, dead_child, unhealthy_backend, wrong_arguments, unknown_tool, kill_switch,
        rate_limit, denied_tool, lost_database, full_audit_channel, zero_character,
    )
}  # fmt: skip


class _Watched:
    """A gateway after some good calls of a tool, and its metrics then."""

    def __init__(self, gateway: Gateway, tool: str) -> None:
        self._gateway = gateway
        for _ in range(GOOD_CALLS):
            gateway.call(tool)
        self._before = self._samples()

    def after(self, happens: Callable[[Gateway], object], lost_rows: int = 0) -> Recorded:
        """The recording after it happened, and after so many lines about lost rows."""
        happens(self._gateway)
        until(lambda: len(self._lost()) >= lost_rows, 20)
        return {"before": self._before, "after": self._samples(), "log": self._lost()}

    def _samples(self) -> list[str]:
        return [line for line in self._gateway.get("/metrics")[2].splitlines() if not line.startswith("#")]

    def _lost(self) -> list[str]:
        return [line for line in self._gateway.log() if any(text.decode() in line for text in AUDIT_ROW_LOST)]


def bring_about(names: list[str], folder: Path, database: Database) -> dict[str, Recorded]:
    """Each outage at a gateway of its own, side by side: most of their time they wait."""
    executable = gateway_under_test(folder)
    urls = {name: database.url() for name in names}

    def run(name: str) -> Recorded:
        with Place(folder / name, executable, database, lambda: urls[name]) as place:
            return OUTAGES[name](place)

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(names, pool.map(run, names), strict=True))


def recorded() -> dict[str, Recorded]:
    return cast("dict[str, Any]", json.loads(FILE.read_text(encoding="utf-8")))


def main() -> None:
    if "GATEWAY_UNDER_TEST" not in os.environ:
        sys.exit("GATEWAY_UNDER_TEST must be the path of the published program: this file records what it does.")
    with tempfile.TemporaryDirectory() as folder, running_postgres() as database:
        found = bring_about(list(OUTAGES), Path(folder), database)
    FILE.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(FILE)


if __name__ == "__main__":
    main()
