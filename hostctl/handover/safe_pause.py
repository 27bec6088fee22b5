"""A pause at a moment when no command begins inside the container.

Docker keeps a container's list of commands locked while one begins (a health probe, `docker exec`). Paused half-way the
command does not finish its start. Every later inspection (`docker inspect`, a handover, monitoring) then waits with the
container's own lock held, so that not even an unpause gets through: as long as a health probe's time limit, and for
ever after a `docker exec`. Measured on Docker 20.10, where 58 of 400 pauses caught a probe made every 0.2 s.

Owns: waiting for a quiet moment, and continuing a command that was caught nevertheless, until it has begun.
Deliberately does not: delay a command.
Source: the Engine API's reference, "Inspect a container" (`Healthcheck`, `Health.Log`) and "Monitor events"
(`exec_start`, `exec_die`, which health probes have too).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from hostctl.core.documents import rows, table
from hostctl.core.timestamps import seconds_of
from hostctl.docker.engine import DockerError, Engine
from hostctl.handover import cgroup_freezer

BEGINS_WITHIN_SECONDS = 3.0
"""A command that began this long ago has its process; on an idle machine that takes 0.07 s."""
MARGIN_SECONDS = 1.0
"""Time for the pause itself before the next probe is due, the downtime probe's wait included."""
LIMIT_SECONDS = 15.0
"""The longest wait: where one command follows another there is no quiet moment."""
DEFAULT_INTERVAL_SECONDS = 30.0
"""Docker's own, where a health check names none."""
_POLL_SECONDS = 0.05
_NANO = 1_000_000_000


def await_quiet(engine: Engine, container: str) -> None:
    """Return when no command begins and no health probe is about to, at the latest after 15 s. Raises DockerError."""
    end = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < end:
        inspected, now = engine.get(f"/containers/{container}/json"), time.time()
        events = _events(engine, container, now - _interval(inspected) - BEGINS_WITHIN_SECONDS, now)
        if not beginning(events, now) and not probe_due(inspected, events, now):
            return
        time.sleep(_POLL_SECONDS)


def pause(engine: Engine, container: str, process: int) -> None:
    """Pause it, with no command caught at its beginning; raises DockerError.

    `process` is the id of its first process on the host, read beforehand: afterwards an inspection would hang.
    """
    engine.post(f"/containers/{container}/pause")
    if not _begins(engine, container):
        return
    try:
        group = cgroup_freezer.of(process)
        group.thaw()
        end = time.monotonic() + BEGINS_WITHIN_SECONDS
        while _begins(engine, container) and time.monotonic() < end:
            time.sleep(_POLL_SECONDS / 5)
        # For Docker it was paused all the time, so nothing more could begin.
        group.pause()
    except OSError as error:
        raise DockerError(
            f"a command began in the container {container[:12]} just as it was paused, and cannot be continued "
            f"({error}): thaw its control group as root, then run again",
            0,
        ) from None


def beginning(events: Iterable[Mapping[str, Any]], now: float) -> set[str]:
    """The commands that were started within three seconds and have not ended."""
    begun: dict[str, float] = {}
    for event in events:
        identifier = table(table(event.get("Actor")).get("Attributes")).get("execID", "")
        if event["Action"].startswith("exec_start"):
            begun[identifier] = event["timeNano"] / _NANO
        elif event["Action"].startswith("exec_die"):
            begun.pop(identifier, None)
    return {identifier for identifier, moment in begun.items() if now - moment < BEGINS_WITHIN_SECONDS}


def probe_due(inspected: Mapping[str, Any], events: Iterable[Mapping[str, Any]], now: float) -> bool:
    """True when Docker is about to make a health probe: it counts from the last one's end, a start or an unpause."""
    health = table(inspected["State"].get("Health"))
    if not health or table(inspected["Config"].get("Healthcheck")).get("Test", ["NONE"])[0] == "NONE":
        return False
    ended = [seconds_of(entry["End"]) for entry in rows(health.get("Log"))]
    unpaused = [event["timeNano"] / _NANO for event in events if event["Action"] == "unpause"]
    due = max([seconds_of(inspected["State"]["StartedAt"]), *ended, *unpaused]) + _interval(inspected)
    return due - min(MARGIN_SECONDS, _interval(inspected) / 2) < now < due + BEGINS_WITHIN_SECONDS


def _begins(engine: Engine, container: str) -> bool:
    now = time.time()
    return bool(beginning(_events(engine, container, now - BEGINS_WITHIN_SECONDS, now), now))


def _events(engine: Engine, container: str, since: float, until: float) -> list[dict[str, Any]]:
    """The events of its commands and unpauses, oldest first; Docker keeps the last 256 of all containers."""
    filters = {"container": [container], "event": ["exec_start", "exec_die", "unpause"]}
    path = f"/events?since={since:.9f}&until={until:.9f}&filters={quote(json.dumps(filters))}"
    return [json.loads(line) for line in engine.text("GET", path, BEGINS_WITHIN_SECONDS).splitlines() if line]


def _interval(inspected: Mapping[str, Any]) -> float:
    interval = table(inspected["Config"].get("Healthcheck")).get("Interval") or 0
    return interval / _NANO or DEFAULT_INTERVAL_SECONDS
