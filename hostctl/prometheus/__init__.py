"""`prometheus wait`: until Prometheus itself says that it scrapes a target.

Owns: asking its HTTP API on loopback. Deliberately does not: judge values; `up` is Prometheus's own word.
Format: https://prometheus.io/docs/prometheus/latest/querying/api/#targets
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from typing import Any

from hostctl.core.documents import Document, rows, table
from hostctl.core.errors import Refusal

REQUEST_SECONDS = 5.0
POLL_SECONDS = 0.2
PROGRESS_SECONDS = 5.0


def wait(document: Document) -> dict[str, Any]:
    """Wait until every job of `jobs` is up; raises Refusal with the target's own last error."""
    address, port = document.text("address"), document.whole_number("port")
    jobs, limit = document.texts("jobs"), document.seconds("limit_seconds", 60)
    began = told = time.monotonic()
    while True:
        trouble = problem(address, port, jobs)
        passed = time.monotonic() - began
        if not trouble:
            return {"up": jobs, "after_ms": round(passed * 1000)}
        if passed > limit:
            raise Refusal(f"{trouble}, for {limit:.0f} s: fix that, then run again; the gateway has not been touched")
        if time.monotonic() - told >= PROGRESS_SECONDS:
            told = time.monotonic()
            print(f"{trouble}, for {passed:.0f} s of {limit:.0f} s", file=sys.stderr)
        time.sleep(POLL_SECONDS)


def problem(address: str, port: int, jobs: list[str]) -> str:
    """What is not up yet, in words; empty when all is."""
    try:
        found = _targets(address, port)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"Prometheus does not answer on {address}:{port} ({getattr(error, 'strerror', None) or error})"
    for job in jobs:
        of_job = [one for one in found if table(one.get("labels")).get("job") == job]
        if not of_job:
            return f"Prometheus has no target of the job {job}"
        for target in of_job:
            if target.get("health") != "up":
                reason = target.get("lastError") or "not scraped yet"
                return f"the target {target.get('scrapeUrl')} is {target.get('health')} ({reason})"
    return ""


def _targets(address: str, port: int) -> list[dict[str, Any]]:
    connection = http.client.HTTPConnection(address, port, timeout=REQUEST_SECONDS)
    try:
        connection.request("GET", "/api/v1/targets?state=active")
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != http.client.OK:
            raise ValueError(f"HTTP {answer.status}")
        return [table(one) for one in rows(table(table(json.loads(content)).get("data")).get("activeTargets"))]
    finally:
        connection.close()
