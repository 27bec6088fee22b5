"""The two counters that hold a call back: rate limits and the circuit breaker.

Owns: a bucket for each subject and tool, full again a minute after it was last filled; a breaker for each backend.
"""

from __future__ import annotations

import math
import time

from .configuration import BackendSettings, Limits

_MINUTE_SECONDS = 60.0


class RateLimits:
    """The one subject's buckets; a reload begins with full ones."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buckets: dict[str, tuple[float, int]] = {}

    def retry_after(self, tool: str) -> int | None:
        """Takes one from the tool's bucket; the seconds until it is full again when it was empty."""
        most = self._limits.per_tool.get(tool, self._limits.default_per_minute)
        moment = time.monotonic()
        filled, left = self._buckets.get(tool, (moment, most))
        elapsed = moment - filled
        if elapsed >= _MINUTE_SECONDS:
            filled, left = moment, most
        self._buckets[tool] = (filled, max(0, left - 1))
        return None if left else math.ceil(max(_MINUTE_SECONDS - elapsed, 1))


class Breaker:
    """Opens after so many failures in a row; once the recovery time is over, calls pass until one fails again."""

    def __init__(self, settings: BackendSettings) -> None:
        self._settings = settings
        self._failures = 0
        self._last_failure = 0.0

    def is_open(self) -> bool:
        if self._failures == 0 or self._failures < self._settings.breaker_threshold:
            return False
        return time.monotonic() - self._last_failure < self._settings.breaker_recovery_seconds

    def note(self, failed: bool) -> None:
        self._failures = self._failures + 1 if failed else 0
        if failed:
            self._last_failure = time.monotonic()
