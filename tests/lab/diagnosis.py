"""One screen under a failing lab test: a full disk, a dead daemon or an ill container is not seen in an assertion.

Owns: the machine, the containers, the last words of those that are not well, and of dockerd; the errors of a run.
Deliberately does not: judge them.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from lab import box as vps
from lab.box import Place

LAST_LINES = 10
LAST_LINES_OF_A_CONTAINER = 3
LAST_LINES_OF_A_RUN = 40
NOT_WELL = ("unhealthy", "Restarting", "Exited", "Dead", "Created")
DOCKER_WITHIN_SECONDS = 20
_GIB = 2**30


def of_the_lab(place: Place) -> str:
    """The box's problems, room on its disks, memory, its containers, the daemon's last words; never raises OSError."""
    seen = vps.status(place)
    lines = ["problems: " + ("; ".join(seen.problems) or "none")]
    lines += [_room(folder) for folder in (place.folder, place.run, Path("/tmp")) if folder.exists()]
    lines += [line for line in _text(Path("/proc/meminfo")) if line.startswith(("MemAvailable", "SwapFree"))]
    lines += [f"load: {_text(Path('/proc/loadavg'))[0]}"]
    lines += ["containers:", *_containers(place)]
    lines += ["dockerd's last lines:", *_text(place.logs / "dockerd.log")[-LAST_LINES:]]
    return "\n".join(lines)


def of_a_run(output: str) -> str:
    """The diagnostics of a run of the engine, or its last lines where it has none."""
    lines = [line for line in output.splitlines() if line.strip() and not line.startswith("@ updating")]
    began = next((at for at, line in enumerate(lines) if line.startswith("Diagnostics:")), 0)
    ended = next((at for at, line in enumerate(lines) if at > began > 0 and line.startswith("Outputs:")), len(lines))
    return "\n".join(lines[began:ended][-LAST_LINES_OF_A_RUN:])


def _room(folder: Path) -> str:
    usage = shutil.disk_usage(folder)
    return f"free on {folder}: {usage.free / _GIB:.2f} of {usage.total / _GIB:.2f} GiB"


def _containers(place: Place) -> list[str]:
    """Name and state of each, and below one that is not well its last lines."""
    rows = _docker(place, "ps", "--all", "--format", "{{.Names}}  {{.Status}}")
    for at in range(len(rows) - 1, -1, -1):
        name, _, state = rows[at].partition("  ")
        if any(word in state for word in NOT_WELL):
            said = _docker(place, "logs", f"--tail={LAST_LINES_OF_A_CONTAINER}", name)
            rows[at + 1 : at + 1] = [f"    {line}" for line in said]
    return rows


def _docker(place: Place, *arguments: str) -> list[str]:
    words = ["docker", f"--host=unix://{place.docker_socket}", *arguments]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=DOCKER_WITHIN_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [f"docker {arguments[0]}: {error}"]
    return (done.stdout + done.stderr).splitlines()


def _text(file: Path) -> list[str]:
    try:
        return file.read_text(errors="replace").splitlines() or [""]
    except OSError as error:
        return [str(error)]
