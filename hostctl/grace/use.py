"""`grace show`: the grace period, and the use of the predecessor's token since the serving container started."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

from hostctl import grace
from hostctl.core import http_json
from hostctl.core.http_json import NoAnswer
from hostctl.core.timestamps import whole
from hostctl.mcp.client import bearer

ANSWER_SECONDS = 5.0
_SAMPLE = re.compile(r"^sentinel_grace_(sessions_total|calls_total|last_use_timestamp_seconds) (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class UseRequest:
    """The grace period's folder, and Sentinel's health port with its token, if any. A secret."""

    folder: str
    health_port: int
    health_token: str = ""


def show(request: UseRequest) -> dict[str, Any]:
    """{"open", "until", "sessions", "calls", "last_use"}: counts are None where Sentinel does not serve."""
    ends = grace.until(request.folder)
    end = max(ends.values(), default=0.0)
    used = _used(request)
    last = used.get("last_use_timestamp_seconds", 0.0)
    return {
        "open": end > time.time(),
        "until": whole(end) if end else None,
        "sessions": int(used["sessions_total"]) if used else None,
        "calls": int(used["calls_total"]) if used else None,
        "last_use": whole(last) if last else None,
    }


def _used(request: UseRequest) -> dict[str, float]:
    url = f"http://127.0.0.1:{request.health_port}/metrics"
    try:
        headers = bearer(request.health_token) if request.health_token else {}
        text = http_json.exchange("GET", url, None, headers, seconds=ANSWER_SECONDS).text
    except NoAnswer:
        return {}
    return {name: float(value) for name, value in _SAMPLE.findall(text)}
