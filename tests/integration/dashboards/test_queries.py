"""Every query of every panel, run by a real Prometheus that scraped known numbers: it returns those numbers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dashboards.dashboard_file import FILE
from lab.real.prometheus import Running
from tests.integration.dashboards.conftest import CALLS_A_SECOND, REFUSALS_A_SECOND, SECONDS_OF_RATES

pytestmark = pytest.mark.prometheus

PANELS: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))["panels"]
TARGETS: dict[str, str] = {
    f"{panel['id']}{target['refId']}": target["expr"] for panel in PANELS for target in panel["targets"]
}


def values(running: Running, name: str, tool: str = ".*", backend: str = ".*") -> dict[tuple[str, ...], float]:
    """The query as Grafana sends it: series by the values of their labels."""
    expression = TARGETS[name].replace("$__rate_interval_ms", str(SECONDS_OF_RATES * 1000))
    expression = expression.replace("$__rate_interval", f"{SECONDS_OF_RATES}s")
    expression = expression.replace("$tool", tool).replace("$backend", backend)
    assert "$" not in expression
    return {tuple(labels[key] for key in sorted(labels)): value for labels, value in running.query(expression)}


def about(number: float) -> Any:
    """A tolerance of one scrape in a window of twelve."""
    return pytest.approx(number, rel=0.2)


def test_requests_by_tool_and_status(scraped: Running) -> None:
    assert values(scraped, "1A") == {
        ("success", "list_tables"): about(CALLS_A_SECOND),
        ("error", "web_search"): about(1),
        ("circuit_open", "web_search"): about(REFUSALS_A_SECOND),
    }


def test_requests_of_the_chosen_tool_only(scraped: Running) -> None:
    assert values(scraped, "1A", tool="list_tables") == {("success", "list_tables"): about(CALLS_A_SECOND)}


def test_latency_lies_in_the_bucket_of_the_calls(scraped: Running) -> None:
    """Ten of eleven calls take 30 ms (bucket 25 to 50 ms), one takes 7 s (bucket 5 to 10 s).

    The twenty that the breaker refuses are 0 s in the gateway's histogram, and would hide all of them.
    """
    p50, p95, p99 = (values(scraped, name)[()] for name in ("2A", "2B", "2C"))
    assert 0.025 < p50 < 0.05
    assert 5 < p95 < p99 <= 10


def test_the_wait_is_that_of_the_bridge(scraped: Running) -> None:
    """One of eleven calls waits for 20 s (bucket 10 to 30 s)."""
    assert 10 < values(scraped, "2D")[()] <= 30


def test_errors_by_type_and_their_share(scraped: Running) -> None:
    assert values(scraped, "3A") == {("error",): about(1), ("circuit_open",): about(REFUSALS_A_SECOND)}
    failed = 1 + REFUSALS_A_SECOND
    assert values(scraped, "3B") == {(): about(failed / (CALLS_A_SECOND + failed))}


def test_lost_audit_rows_a_second(scraped: Running) -> None:
    assert values(scraped, "3C") == {(): about(1)}


def test_one_state_a_backend(scraped: Running) -> None:
    assert values(scraped, "4A") == {("sqlite",): 1, ("exa",): 0}
    assert values(scraped, "4A", backend="sqlite") == {("sqlite",): 1}


def test_rate_limit_hits_a_minute(scraped: Running) -> None:
    assert values(scraped, "5A") == {("list_tables",): about(2 * 60)}


@pytest.mark.parametrize(
    ("name", "series"),
    [
        ("1A", ("no calls",)),
        ("2A", ()),
        ("2B", ()),
        ("2C", ()),
        ("2D", ()),
        ("3A", ("no errors",)),
        ("3B", ()),
        ("3C", ()),
        ("4A", ("gateway not seen",)),
        ("5A", ("no hits",)),
    ],
)
def test_a_quiet_day_reads_as_zero_and_nothing_is_divided_by_it(
    quiet: Running, name: str, series: tuple[str, ...]
) -> None:
    assert values(quiet, name) == {series: 0}


def test_the_table_of_the_quiet_day_names_every_query() -> None:
    assert sorted(TARGETS) == ["1A", "2A", "2B", "2C", "2D", "3A", "3B", "3C", "4A", "5A"]
