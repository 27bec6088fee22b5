"""What the monitoring costs in memory, and how long its alerts take: the figures of docs/alerts.md and the README.

Owns: both on the running lab, with Sentinel on the port.
Deliberately does not: wait for a container to grow; its memory is that of a lab that has just been used.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

from components.settings import Settings
from lab.box import Box
from lab.measure import alerts
from ops import asking
from ops.engine import open_stack
from ops.paths import LOGS
from ops.progress import Progress

STACK = "lab"
CONTAINERS = ("sentinel-prometheus", "sentinel-grafana")
_MEGABYTE = 1024 * 1024


def take(box: Box, say: Callable[[str], None]) -> dict[str, Any]:
    """{"alerts": see alerts.py, "monitoring_mb": {container: {"used", "limit"}}}."""
    settings = asking.settings_of(open_stack(STACK, Progress(LOGS), create=False), STACK)
    # Memory after the alerts, which have made both work.
    return {"alerts": alerts.take(box, settings, say), "monitoring_mb": memory(box, settings)}


def memory(box: Box, settings: Settings) -> dict[str, dict[str, float]]:
    """Megabytes by container as `docker stats` counts them: the cgroup's, without the inactive file cache."""
    limits = dict(zip(CONTAINERS, (settings.prometheus.memory_mb, settings.grafana.memory_mb), strict=True))
    return {name: {"used": used(box, name), "limit": limit} for name, limit in limits.items()}


def used(box: Box, container: str) -> float:
    words = ["docker", f"--host={box.docker_host}", "stats", "--no-stream", "--format={{json .}}", container]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return megabytes(str(json.loads(said)["MemUsage"]).partition(" / ")[0])


def megabytes(text: str) -> float:
    """Docker's spelling, such as `23.52MiB`, in megabytes of 1024 * 1024 bytes."""
    units = {"GiB": 1024.0, "MiB": 1.0, "KiB": 1 / 1024, "B": 1 / _MEGABYTE}
    unit = next(unit for unit in units if text.endswith(unit))
    return round(float(text.removesuffix(unit)) * units[unit], 1)
