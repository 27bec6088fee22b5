"""The bridge's cost: milliseconds a call against the gateway's own stdio, and memory with the gateway.

Owns: running `overhead_inside.py` in Sentinel's container on the lab.
Deliberately does not: go through Docker's port or `docker exec`'s pipes, whose own time is not the bridge's.
"""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

from console.errors import UserError
from lab.box import Box

INSIDE = Path(__file__).with_name("overhead_inside.py")
CALLS = ((1, 200), (20, 25))
"""Clients, and calls of each: together below the 1000 calls a minute that the gateway's default rate limit allows."""
BACKEND = "sequential-thinking"
TOOL = "sequentialthinking"
ARGUMENTS: dict[str, object] = {"thought": "bench", "thoughtNumber": 1, "totalThoughts": 1, "nextThoughtNeeded": False}
LIMIT_SECONDS = 180


def take(box: Box, container: str) -> dict[str, Any]:
    """{"bridge" | "stdio": {clients: {"p50", "p99"}}, "resident_mb": {process: MB}}, the former in ms."""
    request = {"backend": BACKEND, "tool": TOOL, "arguments": ARGUMENTS, "calls": CALLS}
    # The program stands in an argument, the document on stdin; neither holds a secret.
    program = base64.b64encode(INSIDE.read_bytes()).decode()
    argv = ["docker", f"--host={box.docker_host}", "exec", "-i", "--user=10001:10001", container, "python3", "-c"]
    done = subprocess.run(
        [*argv, f"import base64; exec(base64.b64decode('{program}'))"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )
    if done.returncode:
        last = "".join(done.stderr.strip().splitlines()[-1:])
        raise UserError(f"The bridge's overhead could not be taken: {last or 'no reason given'}.")
    return json.loads(done.stdout)
