"""Series that the gateway can expose, made by the lab's gateway, whose metrics are tested against recorded ones.

A world is a list of scrapes; a rule that fires in none of the worst worlds can never fire.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from dashboards.queries import ROLLBACK_POSSIBLE, TOKEN_EXPIRES
from lab.doubles.sentinel.metrics import Metrics
from tests.integration.alerts.promtool import SCRAPE_SECONDS, Series

INSTANCE = "sentinel-gateway:9201"
UP = f'up{{job="sentinel",instance="{INSTANCE}"}}'
CUTOVER = 'up{job="cutover",instance="127.0.0.1:9090",container="sentinel-gateway-1"}'
"""While Sentinel has the port."""

Scrape = Callable[[Metrics, int], None]
"""The events before this scrape, the first being number 0."""


def world(seconds: int, happens: Scrape, up: int = 1) -> Series:
    """The series of a gateway after those events; while it is not up, there is only `up`."""
    metrics = Metrics()
    count = seconds // SCRAPE_SECONDS
    columns: dict[str, list[str]] = {UP: [str(up)] * count}
    for number in range(count):
        happens(metrics, number)
        for line in metrics.text().splitlines() if up else []:
            if line.startswith("#"):
                continue
            name, _, value = line.rpartition(" ")
            series = re.sub(r"\}$", f',job="sentinel",instance="{INSTANCE}"}}', name)
            columns.setdefault(series, ["_"] * number).append(value)
    return {name: " ".join(values) for name, values in columns.items()}


def calls(each: int, failed: int = 0, seconds: float = 0.03, since: int = 0) -> Scrape:
    """Calls before each scrape: their number, the failed ones, the seconds of each."""

    def happens(metrics: Metrics, number: int) -> None:
        for call in range(each if number >= since else 0):
            metrics.request("list_tables", seconds, "backend_error" if call < failed else None)

    return happens


def worst(metrics: Metrics, number: int) -> None:
    """Series with every fault at once."""
    metrics.backend("sqlite", False)
    metrics.request("list_tables", 600, "timeout")
    metrics.rate_limit_hit("list_tables")


def memory(seconds: int, bridge_mb: float, gateway_mb: float) -> Series:
    """The series of the two processes, as the reader of Docker's statistics writes them."""
    labels = 'container="sentinel-gateway-1",job="resources"'
    return {
        f'sentinel_process_memory_bytes{{{labels},process="{name}"}}': f"{size * 1024 * 1024:.0f}x{seconds // 15}"
        for name, size in (("bridge", bridge_mb), ("gateway", gateway_mb))
    }


def ending_token(seconds: int) -> Series:
    """A nightly job that left Claude's token with a few minutes of life; promtool's clock begins at 1970."""
    return {f'{TOKEN_EXPIRES}{{job="host",instance="127.0.0.1:9090"}}': f"{seconds}x{seconds // SCRAPE_SECONDS}"}


def failed_rollback_gates(seconds: int) -> Series:
    """A nightly job that found the predecessor in standby unable to serve."""
    return {f'{ROLLBACK_POSSIBLE}{{job="host",instance="127.0.0.1:9090"}}': f"0x{seconds // SCRAPE_SECONDS}"}


def worst_worlds(seconds: int) -> list[Series]:
    return [
        {
            **world(seconds, worst),
            **memory(seconds, 500, 500),
            **ending_token(seconds),
            **failed_rollback_gates(seconds),
        },
        world(seconds, worst, up=0),
        {},
    ]
