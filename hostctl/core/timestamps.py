"""Wall-clock times as documents, the journal and Docker write them."""

from __future__ import annotations

import re
import time
from datetime import datetime

from hostctl.core.errors import Refusal

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)")


def now() -> str:
    """The time in UTC, such as 2026-11-24T01:02:03.456Z."""
    seconds = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds * 1000) % 1000:03d}Z"


def whole(seconds: float) -> str:
    """Seconds since 1970 as such a time without a fraction."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def seconds_of(moment: str) -> float:
    """Such a time in seconds since 1970; it may have Docker's nine decimals, which Python reads only from 3.11.

    Raises Refusal.
    """
    match = _MOMENT.fullmatch(moment)
    if match is None:
        raise Refusal(f"{moment!r} is not a time: report it as a bug in this program")
    whole = datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00"))
    return whole.timestamp() + float(match[2] or 0)
