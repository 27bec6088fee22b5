"""Series of bridge and gateway: the bridge's own, and those of the lab's gateway, which are as the real one's.

A world is a list of scrapes; a rule that fires in none of the worst worlds can never fire.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable

from bridge.measures import Measures
from dashboards.queries import DISK_FREE, FIREWALL_UNMET, ROLLBACK_POSSIBLE, TOKEN_EXPIRES
from lab.doubles.sentinel.metrics import Metrics
from tests.integration.alerts.promtool import SCRAPE_SECONDS, Series

INSTANCE = "sentinel-gateway:9201"
UP = f'up{{job="sentinel",instance="{INSTANCE}"}}'
CUTOVER = 'up{job="cutover",instance="127.0.0.1:9090",container="sentinel-gateway-1"}'
"""While Sentinel has the port."""

Scrape = Callable[[Metrics, int], None]
"""The events before this scrape, the first being number 0."""
Measured = Callable[[Measures, int], None]
"""The same of the bridge."""


def world(seconds: int, happens: Scrape, up: int = 1, measured: Measured | None = None) -> Series:
    """The series of bridge and gateway after those events; while they are not up, there is only `up`."""
    metrics, measures = Metrics(), Measures()

    def scrapes() -> Generator[str]:
        for number in range(seconds // SCRAPE_SECONDS):
            happens(metrics, number)
            if measured is not None:
                measured(measures, number)
            yield metrics.text() + measures.text()

    return scraped(scrapes(), up)


def scraped(texts: Iterable[str], up: int = 1) -> Series:
    """The series of these answers of /metrics, one a scrape; a series may come and stay."""
    columns: dict[str, list[str]] = {UP: []}
    for number, text in enumerate(texts):
        columns[UP].append(str(up))
        for line in text.splitlines() if up else []:
            if line.startswith("#"):
                continue
            name, _, value = line.rpartition(" ")
            own, _, labels = name.removesuffix("}").partition("{")
            where = f'job="sentinel",instance="{INSTANCE}"'
            columns.setdefault(f"{own}{{{f'{labels},' if labels else ''}{where}}}", ["_"] * number).append(value)
    return {name: " ".join(values) for name, values in columns.items()}


def calls(each: int, failed: int = 0, seconds: float = 0.03, since: int = 0) -> Scrape:
    """Calls before each scrape: their number, the failed ones, the seconds of each."""

    def happens(metrics: Metrics, number: int) -> None:
        for call in range(each if number >= since else 0):
            metrics.request("list_tables", seconds, "error" if call < failed else None)

    return happens


def worst(metrics: Metrics, number: int) -> None:
    """Series with every fault at once."""
    metrics.backend("sqlite", False)
    metrics.request("list_tables", 600, "error")
    metrics.rate_limit_hit("list_tables")


def worst_of_the_bridge(measures: Measures, number: int) -> None:
    measures.waited(3600)
    measures.read(b"ERROR sentinel_gateway::audit::writer: Failed to write audit log error=database away")


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


def full_disk(seconds: int) -> Series:
    """The free share of Docker's disk, as the reader of Docker's statistics writes it."""
    return {f'{DISK_FREE}{{disk="docker",job="resources"}}': f"0x{seconds // SCRAPE_SECONDS}"}


def lost_rules(seconds: int) -> Series:
    """A job that finds the firewall's rules flushed, each time."""
    return {f'{FIREWALL_UNMET}{{job="resources"}}': f"12x{seconds // SCRAPE_SECONDS}"}


def worst_worlds(seconds: int) -> list[Series]:
    return [
        {
            **world(seconds, worst, measured=worst_of_the_bridge),
            **memory(seconds, 500, 500),
            **ending_token(seconds),
            **failed_rollback_gates(seconds),
            **full_disk(seconds),
            **lost_rules(seconds),
        },
        world(seconds, worst, up=0),
        {},
    ]
