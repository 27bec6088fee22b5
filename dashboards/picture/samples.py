"""The panels' series from Prometheus, with the values of Grafana's variables.

Format: https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries
"""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

MOST_POINTS = 240
WINDOW_SECONDS = 60
"""The value of `$__rate_interval`: the shortest that the panels allow Grafana."""
QUERY_SECONDS = 15.0


@dataclass(frozen=True)
class Series:
    """One line of a panel by its legend; a point is a moment and a value."""

    legend: str
    moments: tuple[datetime, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Drawn:
    """One panel: its JSON from the dashboard, and its series."""

    panel: Mapping[str, Any]
    series: Sequence[Series]


@dataclass(frozen=True)
class Span:
    """Start and end in seconds since 1970, and the seconds between two points."""

    start: float
    end: float
    step: int

    @classmethod
    def before(cls, end: float, seconds: float, least_step: int) -> Span:
        return cls(end - seconds, end, max(least_step, round(seconds / MOST_POINTS)))


def drawn_panels(address: str, dashboard: Mapping[str, Any], span: Span) -> list[Drawn]:
    """Every panel with its series, the dashboard's order; raises OSError when Prometheus does not answer."""
    return [
        Drawn(panel, [series for target in panel["targets"] for series in _series(address, target, span)])
        for panel in dashboard["panels"]
    ]


def expression(query: str) -> str:
    """A panel's query with every variable filled in: all tools, all backends."""
    filled = query.replace("$__rate_interval_ms", str(WINDOW_SECONDS * 1000))
    filled = filled.replace("$__rate_interval", f"{WINDOW_SECONDS}s")
    return filled.replace("$tool", ".*").replace("$backend", ".*")


def legend(template: str, labels: Mapping[str, str]) -> str:
    """`{{tool}} {{status}}` of a series; a missing label is left out, as by Grafana."""
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda match: labels.get(match[1], ""), template).strip()


def _series(address: str, target: Mapping[str, Any], span: Span) -> list[Series]:
    parameters = {"query": expression(target["expr"]), "start": span.start, "end": span.end, "step": span.step}
    body = urllib.parse.urlencode(parameters).encode()
    with urllib.request.urlopen(f"{address}/api/v1/query_range", body, timeout=QUERY_SECONDS) as answer:
        results: Any = json.load(answer)["data"]["result"]
    return [
        Series(
            legend(target["legendFormat"], result["metric"]),
            tuple(datetime.fromtimestamp(float(at), UTC) for at, _ in result["values"]),
            tuple(float(value) for _, value in result["values"]),
        )
        for result in results
    ]
