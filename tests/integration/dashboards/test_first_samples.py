"""A counter that appears with its first event already counted is seen; `rate` alone would see nothing of it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from dashboards import queries
from lab.doubles import metrics_endpoint
from lab.doubles.sentinel.metrics import Metrics
from lab.real import prometheus
from tests.integration.dashboards.conftest import configuration

pytestmark = pytest.mark.prometheus

WINDOW = "3s"


def test_the_first_error_counts_once_and_leaves_the_window_again(tmp_path: Path) -> None:
    first_error = threading.Event()

    def happened(metrics: Metrics, seconds: float) -> None:
        if first_error.is_set():
            metrics.request("web_search", 0.03, "error")

    grown = f"sum {queries.grown(queries.ERRORS, WINDOW)}"
    with (
        metrics_endpoint.served(happened) as port,
        prometheus.running(configuration(port), tmp_path) as running,
    ):
        running.wait_for(f'up{{job="{queries.JOB}"}} offset {WINDOW}')
        first_error.set()
        running.wait_for(queries.ERRORS)
        assert running.query(grown) == [({}, 1)]
        assert running.query(f"sum(increase({queries.ERRORS}[{WINDOW}]))") in ([], [({}, 0)])
        running.wait_for(f"{grown} == 0")


def test_a_prometheus_that_was_down_takes_no_old_total_for_growth(tmp_path: Path) -> None:
    def happened(metrics: Metrics, seconds: float) -> None:
        for _ in range(1000):
            metrics.request("list_tables", 0.03, None)

    with (
        metrics_endpoint.served(happened) as port,
        prometheus.running(configuration(port), tmp_path) as running,
    ):
        running.wait_for(f"{queries.REQUESTS} offset 1s")
        assert running.query(f"sum {queries.grown(queries.REQUESTS, WINDOW)}") == [({}, 0)]
