"""The time that the machine's processes waited for it: what a duration measured beside other load may be longer by.

Linux counts it: /proc/pressure/cpu and /proc/pressure/io, the microseconds in which some process waited for a
processor or a disk (Documentation/accounting/psi.rst), and in /proc/stat the hundredths of a second that a hypervisor
kept the processors for others. Where a kernel does not count, nothing was waited for.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

_PRESSURE = (Path("/proc/pressure/cpu"), Path("/proc/pressure/io"))
_STAT = Path("/proc/stat")
_STOLEN = 8
"""The column of `steal` in the first line of /proc/stat."""


class Starvation:
    """Counts from its making."""

    def __init__(self) -> None:
        self._began = _counted()

    @property
    def seconds(self) -> float:
        """Seconds waited until now; those of two causes at the same time count twice."""
        return _counted() - self._began


class Stopwatch:
    """Seconds since it was created, less the time for which processes waited for the machine."""

    def __init__(self) -> None:
        self._began, self._starvation = time.monotonic(), Starvation()

    @property
    def seconds(self) -> float:
        return max(0.0, time.monotonic() - self._began - self._starvation.seconds)


def _counted() -> float:
    return sum(_pressed(file) for file in _PRESSURE) + _stolen()


def _pressed(file: Path) -> float:
    try:
        some = file.read_text().splitlines()[0]
    except OSError:
        return 0.0
    return int(some.rpartition("total=")[2]) / 1e6


def _stolen() -> float:
    fields = _STAT.read_text().split("\n", 1)[0].split() if _STAT.exists() else []
    ticks = int(fields[_STOLEN]) if len(fields) > _STOLEN else 0
    return ticks / os.sysconf("SC_CLK_TCK") / (os.cpu_count() or 1)
