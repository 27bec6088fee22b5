"""Wall-clock times as the documents and the journal write them.

Owns: `now`. Deliberately does not: measure durations (time.monotonic does).
"""

from __future__ import annotations

import time


def now() -> str:
    """The time in UTC, such as 2026-11-24T01:02:03.456Z."""
    seconds = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds * 1000) % 1000:03d}Z"
