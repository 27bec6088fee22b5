"""The state of the machine under a failing lab test: a full disk or a dead daemon is not seen in an assertion."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from lab import box as vps
from lab.box import Place

LAST_LINES = 15
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


def _room(folder: Path) -> str:
    usage = shutil.disk_usage(folder)
    return f"free on {folder}: {usage.free / _GIB:.2f} of {usage.total / _GIB:.2f} GiB"


def _containers(place: Place) -> list[str]:
    words = ["docker", f"--host=unix://{place.docker_socket}", "ps", "--all", "--format", "{{.Names}}  {{.Status}}"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=DOCKER_WITHIN_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [f"docker ps: {error}"]
    return (done.stdout or done.stderr).splitlines()


def _text(file: Path) -> list[str]:
    try:
        return file.read_text(errors="replace").splitlines() or [""]
    except OSError as error:
        return [str(error)]
