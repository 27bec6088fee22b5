"""The last reading of the firewall's rules, as `firewall repair` left it. Without that verb's imports."""

from __future__ import annotations

import time

from hostctl.core import json_file

FRESH_SECONDS = 180
"""A reading that is older says nothing about now."""


def unmet(path: str) -> int | None:
    """The number of rules that the last reading found without effect; None without a fresh one."""
    reading = json_file.read(path) if path else None
    if not reading or not 0 <= time.time() - float(reading.get("at") or 0) <= FRESH_SECONDS:
        return None
    return int(reading.get("unmet") or 0)
