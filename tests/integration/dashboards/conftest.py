"""A real Prometheus that scraped known numbers, once for all queries."""

from __future__ import annotations

import json
from collections.abc import Generator

import pytest

from bridge.measures import Measures
from lab.doubles import metrics_endpoint
from lab.doubles.sentinel.metrics import Metrics
from lab.real import prometheus

SECONDS_OF_RATES = 6
"""The value of `$__rate_interval` here, with a scrape every half second."""
BIRTH = 4
"""The second at which everything rare happens for the first time."""
CALLS_A_SECOND, REFUSALS_A_SECOND = 10, 20


def happened(metrics: Metrics, seconds: float) -> None:
    """Ten calls a second of 30 ms, and one backend is unhealthy.

    From second 4 on, each second: one error, twenty calls that its open breaker refuses, two hits of a rate limit.
    """
    metrics.backend("sqlite", True)
    metrics.backend("exa", False)
    for _ in range(int(seconds * CALLS_A_SECOND)):
        metrics.request("list_tables", 0.03, None)
    for _ in range(int(max(0, seconds - BIRTH))):
        metrics.request("web_search", 7, "error")
        for _ in range(REFUSALS_A_SECOND):
            metrics.request("web_search", 0, "circuit_open")
        metrics.rate_limit_hit("list_tables")
        metrics.rate_limit_hit("list_tables")


def measured(measures: Measures, seconds: float) -> None:
    """Ten calls a second that do not wait and one that waits for 20 s; from second 4 on one lost row a second."""
    for number in range(int(seconds * (CALLS_A_SECOND + 1))):
        measures.waited(20 if number % (CALLS_A_SECOND + 1) == 0 else 0)
    for _ in range(int(max(0, seconds - BIRTH))):
        measures.read(b"ERROR audit::writer: Failed to write audit log error=database away")


def configuration(port: int) -> str:
    jobs = [
        {"job_name": "sentinel", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]},
    ]
    return json.dumps({"global": {"scrape_interval": "500ms", "scrape_timeout": "500ms"}, "scrape_configs": jobs})


@pytest.fixture(scope="session")
def prometheuses(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[prometheus.Running, prometheus.Running]]:
    """One gateway with known numbers and one that was never called, scraped at the same time."""
    with (
        metrics_endpoint.served(happened, measured=measured) as busy_port,
        metrics_endpoint.served(lambda metrics, seconds: None) as quiet_port,
        prometheus.running(configuration(busy_port), tmp_path_factory.mktemp("busy")) as busy,
        prometheus.running(configuration(quiet_port), tmp_path_factory.mktemp("quiet")) as quiet,
    ):
        busy.wait_for(f"sentinel_errors_total offset {SECONDS_OF_RATES}s")
        quiet.wait_for(f'up{{job="sentinel"}} offset {SECONDS_OF_RATES}s')
        yield busy, quiet


@pytest.fixture(scope="session")
def scraped(prometheuses: tuple[prometheus.Running, prometheus.Running]) -> prometheus.Running:
    return prometheuses[0]


@pytest.fixture(scope="session")
def quiet(prometheuses: tuple[prometheus.Running, prometheus.Running]) -> prometheus.Running:
    """No family has a sample yet."""
    return prometheuses[1]
