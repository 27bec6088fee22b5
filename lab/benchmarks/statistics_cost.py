"""The cost of one reading of Docker's statistics, which the timer takes once a minute.

Owns: running `hostctl resources write` as the timer does, and the processor time and memory of that process alone.
Deliberately does not: measure the daemon's own share: that shows as the time for which the reading waits.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hostctl.build import build
from hostctl.core import requests
from hostctl.resources import ResourcesRequest
from lab.box import Box

ROUNDS = 30
TARGET_MB = 100
_INSIDE = (
    "import sys; sys.path.insert(0, sys.argv[1]); from hostctl import resources; resources.alone(); "
    # Of this process alone: what its parent had before it counts in the kernel's own maximum.
    "import json, time; peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM:')); "
    "print(json.dumps({'cpu_seconds': time.process_time(), 'kilobytes': int(peak.split()[1])}))"
)
"""The timer's own line, and the processor time and memory that it used."""


def take(box: Box) -> dict[str, float]:
    """{"rounds", "containers", "cpu_ms", "wall_ms", "max_rss_mb"}: medians of the rounds, and the largest memory."""
    processor: list[float] = []
    waited: list[float] = []
    memory: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        program, file = Path(folder) / "hostctl.pyz", Path(folder) / "resources.txt"
        build(str(program))
        request = ResourcesRequest(folder, str(program), str(file), TARGET_MB, docker_socket=box.docker_socket)
        for _ in range(ROUNDS):
            began = time.monotonic()
            done = subprocess.run(
                [sys.executable, "-I", "-S", "-c", _INSIDE, str(program)],
                input=json.dumps(requests.write(request)),
                capture_output=True,
                text=True,
                check=True,
            )
            waited.append((time.monotonic() - began) * 1000)
            used: dict[str, float] = json.loads(done.stdout)
            processor.append(used["cpu_seconds"] * 1000)
            memory.append(used["kilobytes"] / 1024)
        containers = file.read_text().count("\nsentinel_container_memory_bytes{")
    return {
        "rounds": ROUNDS,
        "containers": containers,
        "cpu_ms": round(statistics.median(processor), 1),
        "wall_ms": round(statistics.median(waited), 1),
        "max_rss_mb": round(max(memory), 1),
    }
