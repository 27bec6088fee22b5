"""The monitoring's memory, the times of its alerts, and a picture of both for the pages.

Owns: all three on the running lab, with Sentinel on the port: a tool called until the rate limit refuses, then
each alert brought about, then the panels drawn of just that.
Deliberately does not: wait for a container to grow; its memory is that of a lab that has just been used.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import time
from collections.abc import Callable
from typing import Any

from console.paths import LOGS, ROOT
from console.progress import Progress
from lab.benchmarks import alerts
from lab.box import Box
from ops.commands.dashboard_picture import dashboard_picture
from ops.engine.run import open_stack
from ops.engine.state import settings_of
from settings.limits import GRAFANA_MEMORY_MB, PROMETHEUS_MEMORY_MB

STACK = "lab"
PICTURE = ROOT / "docs" / "dashboard.png"
CONTAINERS = {"sentinel-prometheus": PROMETHEUS_MEMORY_MB, "sentinel-grafana": GRAFANA_MEMORY_MB}
"""With their limits, in megabytes."""
_MEGABYTE = 1024 * 1024


def take(box: Box, say: Callable[[str], None]) -> dict[str, Any]:
    """{"alerts": see alerts.py, "monitoring_mb": {container: {"used"}}}; writes docs/dashboard.png."""
    settings = settings_of(open_stack(STACK, Progress(LOGS), create=False), STACK)
    began = time.monotonic()
    _call_some(alerts.Watch(box, settings, say))
    taken = alerts.take(box, settings, say)
    # Memory after the alerts, which have made both work.
    found = {"alerts": taken, "monitoring_mb": memory(box)}
    minutes = math.ceil((time.monotonic() - began) / 60) + 1
    drawn = dashboard_picture(STACK, Progress(LOGS), minutes=minutes)
    shutil.copyfile(drawn.document["file"], PICTURE)
    say(f"the last {minutes} minutes in {PICTURE}")
    return found


def _call_some(watch: alerts.Watch) -> None:
    """Several tools, one that nobody offers, and one until the rate limit refuses it."""
    limit = watch.settings.sentinel.rate_limits.default_rpm
    for tool, arguments, calls in (
        ("list_workflows", {}, 8),
        (alerts.HARMLESS, alerts.THOUGHT, 20),
        ("nobody_offers_this", {}, 1),
        (alerts.TOOL, {}, math.ceil(1.1 * limit)),
    ):
        answered = watch.calls(tool, arguments, calls)
        watch.say(f"{tool}: {answered['good']} good, {answered['bad']} refused")


def memory(box: Box) -> dict[str, dict[str, float]]:
    """Megabytes by container as `docker stats` counts them: the cgroup's, without the inactive file cache."""
    return {name: {"used": used(box, name)} for name in CONTAINERS}


def used(box: Box, container: str) -> float:
    argv = ["docker", f"--host={box.docker_host}", "stats", "--no-stream", "--format={{json .}}", container]
    output = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    return megabytes(str(json.loads(output)["MemUsage"]).partition(" / ")[0])


def megabytes(text: str) -> float:
    """Docker's spelling, such as `23.52MiB`, in megabytes of 1024 * 1024 bytes."""
    units = {"GiB": 1024.0, "MiB": 1.0, "KiB": 1 / 1024, "B": 1 / _MEGABYTE}
    unit = next(unit for unit in units if text.endswith(unit))
    return round(float(text.removesuffix(unit)) * units[unit], 1)
