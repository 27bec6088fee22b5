"""`prometheus wait`: wait until Prometheus reports that it scrapes its targets; `up` is its own verdict.

Format: https://prometheus.io/docs/prometheus/latest/querying/api/#targets
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hostctl.core import http_json
from hostctl.core.documents import rows, table
from hostctl.core.errors import Refusal
from hostctl.core.http_json import NoAnswer

REQUEST_SECONDS = 5.0
POLL_SECONDS = 0.2
PROGRESS_SECONDS = 5.0


@dataclass(frozen=True)
class WaitRequest:
    """Prometheus's address, the jobs that must be up, and the `containers` behind them: new ones repeat the wait."""

    address: str
    port: int
    jobs: tuple[str, ...] = ()
    limit_seconds: float = 60.0
    containers: tuple[str, ...] = ()


def wait(request: WaitRequest) -> dict[str, Any]:
    """Wait until every job is up; raises Refusal with the target's own last error."""
    limit = request.limit_seconds
    began = reported = time.monotonic()
    while True:
        trouble = problem(request.address, request.port, request.jobs)
        passed = time.monotonic() - began
        if not trouble:
            return {"up": list(request.jobs), "after_ms": round(passed * 1000)}
        if passed > limit:
            raise Refusal(f"{trouble}, for {limit:.0f} s: fix that, then run again; the gateway has not been touched")
        if time.monotonic() - reported >= PROGRESS_SECONDS:
            reported = time.monotonic()
            print(f"{trouble}, for {passed:.0f} s of {limit:.0f} s", file=sys.stderr)
        time.sleep(POLL_SECONDS)


def problem(address: str, port: int, jobs: Sequence[str]) -> str:
    """The first job that is not up, as a sentence; empty when all are."""
    url = f"http://{address}:{port}/api/v1/targets?state=active"
    try:
        answer = http_json.exchange("GET", url, seconds=REQUEST_SECONDS)
    except NoAnswer as error:
        return f"Prometheus does not answer on {address}:{port} ({error.reason})"
    if not answer.ok:
        return f"Prometheus does not answer on {address}:{port} (HTTP {answer.status})"
    targets = [table(target) for target in rows(table(table(answer.body).get("data")).get("activeTargets"))]
    for job in jobs:
        of_job = [target for target in targets if table(target.get("labels")).get("job") == job]
        if not of_job:
            return f"Prometheus has no target of the job {job}"
        for target in of_job:
            if target.get("health") != "up":
                reason = target.get("lastError") or "not scraped yet"
                return f"the target {target.get('scrapeUrl')} is {target.get('health')} ({reason})"
    return ""
