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
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from console.errors import UserError
from console.paths import LOGS, ROOT
from console.progress import Progress
from lab.benchmarks import downtimes, monitoring, outputs, overhead, retention, security, statistics_cost, suite
from lab.benchmarks.pages import FIGURES, write
from lab.box import Box, Place, status
from ops.engine.run import open_stack
from ops.engine.state import settings_of

ROUNDS = 5
WHAT = (
    "bench", "again", "downtimes", "monitoring", "statistics", "retention", "cold", "security", "outputs", "tests",
    "render",
)  # fmt: skip
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


def monitoring_figures() -> Taken:
    """The alerts' times and the monitoring's memory, on the lab that runs."""
    return monitoring.take(_box(), _say)


def retention_figures() -> Taken:
    """Calls while a million rows of the audit log go, and the log's size over months, on the lab that runs."""
    settings = settings_of(open_stack(monitoring.STACK, Progress(LOGS), create=False), monitoring.STACK)
    return retention.take(_box(), settings, _say)


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


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lab.benchmarks", description="Takes the figures of the documentation."
    )
    parser.add_argument("what", choices=WHAT)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    figures: Taken = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    if arguments.what == "bench":
        figures |= bench(arguments.rounds)
    elif arguments.what == "again":
        figures |= {"up_again_seconds": again()}
    elif arguments.what == "downtimes":
        figures |= {"downtimes": downtimes.take(_box(), arguments.rounds, _say)}
    elif arguments.what == "monitoring":
        figures |= monitoring_figures()
    elif arguments.what == "retention":
        figures |= retention_figures()
    elif arguments.what == "statistics":
        figures |= {"statistics": statistics_cost.take(_box())}
    elif arguments.what == "cold":
        figures |= cold()
    elif arguments.what == "security":
        figures |= {security.KEY: security.take()}
    elif arguments.what == "outputs":
        figures |= {outputs.KEY: outputs.take()}
    elif arguments.what == "tests":
        figures |= {suite.KEY: suite.take()}
    # The findings of the security tests and the outputs are no figures of the machine.
    if arguments.what not in ("render", "security", "outputs"):
        figures |= {"at": datetime.now(UTC).date().isoformat(), "machine": _machine()}
    write(figures)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(str(error))
