"""From a full disk to its message in Discord, and from its end to the message that it is over, on the lab.

The folder of backups is a small disk in memory meanwhile, so nothing else fills. The rule waits for ten minutes,
whatever the settings say, so this alert is caused apart from the others. The host's own job reads the disks once a
minute; no scheduler runs in the lab, so this runs the job's verb at the same pace.

Owns: the fault, its end, and both times. Deliberately does not: leave the disk in place, whatever happens in between.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from console.errors import UserError
from hostctl.resources import NAME, REQUEST
from lab import small_disk
from lab.benchmarks import alerts
from lab.box import Box
from settings import Settings

TITLE = "Disk nearly full"
MEGABYTES = 4
PACE_SECONDS = 60.0


def take(box: Box, settings: Settings, say: Callable[[str], None]) -> alerts.Taken:
    """{title: see alerts.take}; Sentinel must hold the port. Raises UserError when a message does not come."""
    watch, within = alerts.Watch(box, settings, say), alerts.bounds(settings, TITLE)
    folder = Path(settings.nightly.folder)
    with _read_at_its_pace(settings) as read:
        watch.quiet()
        small_disk.mount(folder, MEGABYTES)
        try:
            small_disk.fill(folder / "filler")
            began = time.time()
            read()
            fired = watch.message(TITLE, "FIRING", began, within.fired)
        finally:
            small_disk.unmount(folder)
        over = time.time()
        read()
        resolved = watch.message(TITLE, "RESOLVED", over, within.resolved)
    return {TITLE: alerts.figures(within, fired, resolved)}


@contextmanager
def _read_at_its_pace(settings: Settings) -> Generator[Callable[[], None]]:
    """A function that reads the disks now; they are read once a minute besides, as the host's job does."""
    program, request = f"{settings.host.folder}/hostctl.pyz", Path(settings.host.folder) / NAME / REQUEST
    if not request.exists():
        raise UserError(f"{request} does not exist: set resources.enabled, then make up STACK=lab.")
    ended = threading.Event()

    def read() -> None:
        argv = [sys.executable, "-I", "-S", program, "resources", "write"]
        subprocess.run(argv, input=request.read_bytes(), check=True, capture_output=True, timeout=60)

    def go_on() -> None:
        while not ended.wait(PACE_SECONDS):
            read()

    pace = threading.Thread(target=go_on)
    pace.start()
    try:
        yield read
    finally:
        ended.set()
        pace.join()
