"""`python -m lab.benchmarks WHAT`: takes figures and renders the pages.

Owns: the commands, and the facts of the machine on which figures were taken.
Deliberately does not: measure anything but whole commands' seconds; each of the other modules takes one figure.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from console.errors import UserError
from console.paths import LOGS, ROOT
from console.progress import Progress
from lab.benchmarks import (
    disk_alert,
    downtimes,
    fleet,
    link,
    monitoring,
    outputs,
    overhead,
    processes,
    retention,
    security,
    servers,
    statistics_cost,
    suite,
)
from lab.benchmarks.pages import FIGURES, write
from lab.box import Box, Place, status
from ops.engine.run import open_stack
from ops.engine.state import settings_of
from settings import Settings

ROUNDS = 5
CACHES = {"GOMODCACHE": "modules", "GOCACHE": "builds", "UV_CACHE_DIR": "uv", "npm_config_cache": "npm"}
"""Caches of a machine that has built before, each moved to an empty folder for a cold run."""

Taken = dict[str, Any]


def bench(rounds: int) -> Taken:
    """Downtimes, the bridge's overhead, the alerts and a second `make up`, on the lab that runs."""
    seconds = again()
    box = _box()
    taken = downtimes.take(box, rounds, _say)
    # Last, and through the container that serves then: its memory has seen everything above.
    cost = overhead.take(box, downtimes.Rounds(box).sentinel())
    _say(f"bridge {cost['bridge']}, stdio {cost['stdio']} ms, resident {cost['resident_mb']} MB")
    watched = monitoring.take(box, _say)
    return {
        "up_again_seconds": seconds,
        "downtimes": taken,
        "overhead": cost,
        "statistics": statistics_cost.take(box),
        **watched,
    }


def again() -> float:
    """Seconds of a `make up` that has nothing to do, on the lab that runs and is as its settings say."""
    return _seconds(["make", "up"], ROOT, dict(os.environ))


def cold() -> Taken:
    """From a fresh clone and empty caches to the finished cutover; Debian's own packages are installed already."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        bare = {**os.environ, **{name: f"{folder}/{cache}" for name, cache in CACHES.items()}}
        bare = {name: value for name, value in bare.items() if not name.startswith("PULUMI") and name != "PYTHONPATH"}
        try:
            return {"cold_up_seconds": _seconds(["make", "up"], clone, bare)}
        finally:
            subprocess.run(["make", "down"], cwd=clone, env=bare, check=False, stdout=sys.stderr)
            # Go's own cache is read-only on purpose.
            subprocess.run(["chmod", "-R", "u+w", folder], check=False)


def _settings() -> Settings:
    return settings_of(open_stack(monitoring.STACK, Progress(LOGS), create=False), monitoring.STACK)


def _box() -> Box:
    box = status(Place()).box
    if box is None:
        raise UserError("The lab is not running; start it with make up.")
    return box


def _seconds(argv: Sequence[str], folder: Path, variables: dict[str, str]) -> float:
    began = time.monotonic()
    subprocess.run(argv, cwd=folder, env=variables, check=True, stdout=sys.stderr)
    return round(time.monotonic() - began, 1)


def _machine() -> dict[str, object]:
    docker = subprocess.run(["dockerd", "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"version ([0-9.]+)", docker)
    return {
        "cores": os.cpu_count(),
        "docker": version[1] if version else "?",
        "linux": platform.release().split("-")[0],
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


TAKES: Mapping[str, Callable[[argparse.Namespace], Taken]] = {
    "bench": lambda given: bench(given.rounds),
    "again": lambda _: {"up_again_seconds": again()},
    "downtimes": lambda given: {"downtimes": downtimes.take(_box(), given.rounds, _say)},
    "overhead": lambda _: {"overhead": overhead.take(_box(), downtimes.Rounds(_box()).sentinel())},
    "monitoring": lambda _: monitoring.take(_box(), _say),
    "disk": lambda _: {"alerts": disk_alert.take(_box(), _settings(), _say)},
    "statistics": lambda _: {"statistics": statistics_cost.take(_box())},
    "retention": lambda _: retention.take(_box(), _settings(), _say),
    "cold": lambda _: cold(),
    "security": lambda _: {security.KEY: security.take()},
    "outputs": lambda _: {outputs.KEY: outputs.take()},
    "processes": lambda given: {processes.KEY: processes.take(given.gateway, _say)},
    "servers": lambda _: {servers.KEY: servers.take(_box(), _settings(), _say)},
    "link": lambda _: {link.KEY: link.take()},
    "tests": lambda _: {suite.KEY: suite.take()},
    "fleet": lambda _: {fleet.KEY: fleet.take()},
    "render": lambda _: {},
}
"""By name, most of them on the lab that runs; the module of each says what it takes."""
DATED = ("bench", "downtimes")
"""Those whose page says when they were taken, and on which machine."""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lab.benchmarks", description="Takes the figures of the documentation."
    )
    parser.add_argument("what", choices=TAKES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--gateway", help="processes: another program than the lab's double of the gateway")
    given = parser.parse_args()
    figures: Taken = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    others = figures.get("alerts", {})
    figures |= TAKES[given.what](given)
    # An alert that was not caused again keeps its times.
    figures |= {"alerts": {**others, **figures["alerts"]}} if "alerts" in figures else {}
    if given.what in DATED:
        figures |= {"at": datetime.now(UTC).date().isoformat(), "machine": _machine()}
    write(figures)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(str(error))
