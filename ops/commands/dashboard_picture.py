"""`make dashboard-picture`: the five panels as a PNG, with the data of the stack's Prometheus."""

from __future__ import annotations

import subprocess
import sys

from console.errors import UserError
from console.paths import ROOT, WORK
from console.progress import Progress
from console.result import Result
from ops.engine import sandbox
from ops.engine.run import open_stack
from ops.engine.state import settings_of
from settings import Settings

LIMIT_SECONDS = 120


def dashboard_picture(stack: str, progress: Progress, *, minutes: float) -> Result:
    """{"ok", "file", "minutes"}; raises UserError when there is nothing to draw from."""
    settings = settings_of(open_stack(stack, progress, create=False), stack)
    file = WORK / f"dashboard-{stack}.png"
    command = [sys.executable, "-m", "dashboards.picture", *_span(settings, minutes), "--out", str(file)]
    completed = subprocess.run(
        sandbox.on_host(stack, command),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    if completed.returncode:
        reason = completed.stderr.strip().splitlines()[-1:] or [
            "The picture could not be drawn, and no reason was given."
        ]
        raise UserError(reason[0] + _tunnel(settings))
    return Result({"ok": True, "file": str(file), "minutes": minutes}, f"{file}")


def _span(settings: Settings, minutes: float) -> list[str]:
    if not settings.prometheus.enabled:
        raise UserError("There is nothing to draw from: prometheus.enabled is false.")
    address = f"http://127.0.0.1:{settings.prometheus.port}"
    return ["--prometheus", address, "--minutes", f"{minutes:g}", "--step", str(settings.prometheus.scrape_seconds)]


def _tunnel(settings: Settings) -> str:
    host, port = settings.host, settings.prometheus.port
    if host.kind != "ssh":
        return ""
    return f" The host is another machine: `ssh -N -L {port}:127.0.0.1:{port} {host.user}@{host.address}` beside this."
