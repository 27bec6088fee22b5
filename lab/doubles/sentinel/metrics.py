"""The five metric families in Prometheus's text format 0.0.4.

Owns: names, labels, buckets, and that a family without a sample is absent (`reference/sentinel.md`).
Deliberately does not: limit how many series there are; an unknown tool's name gets its own, as in the real gateway.
"""

from __future__ import annotations

from collections import Counter
from threading import Lock

BUCKETS = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10")

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """Counts from the gateway's event loop, read from the health server's threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._requests: Counter[Labels] = Counter()
        self._errors: Counter[Labels] = Counter()
        self._rate_limit_hits: Counter[Labels] = Counter()
        self._healthy: dict[Labels, int] = {}
        self._durations: dict[Labels, list[float]] = {}

    def request(self, tool: str, seconds: float, error_type: str | None) -> None:
        """One finished call; `error_type`, which is its status too, is None when it succeeded."""
        with self._lock:
            status = error_type or "success"
            self._requests[(("status", status), ("tool", tool))] += 1
            if error_type is not None:
                self._errors[(("error_type", error_type), ("tool", tool))] += 1
            # One number a bucket (not yet cumulative), then +Inf, then the sum.
            row = self._durations.setdefault((("tool", tool),), [0.0] * (len(BUCKETS) + 2))
            row[next((at for at, bound in enumerate(BUCKETS) if seconds <= float(bound)), len(BUCKETS))] += 1
            row[-1] += seconds

    def rate_limit_hit(self, tool: str) -> None:
        with self._lock:
            self._rate_limit_hits[(("tool", tool),)] += 1

    def backend(self, name: str, healthy: bool) -> None:
        with self._lock:
            self._healthy[(("backend", name),)] = int(healthy)

    def text(self) -> str:
        with self._lock:
            lines = [
                *_family("sentinel_backend_healthy", "Backend health status", "gauge", self._healthy),
                *_family("sentinel_errors_total", "Total errors by type", "counter", self._errors),
                *_family("sentinel_rate_limit_hits_total", "Total rate limit hits", "counter", self._rate_limit_hits),
                *_histogram("sentinel_request_duration_seconds", "Request latency in seconds", self._durations),
                *_family("sentinel_requests_total", "Total MCP requests", "counter", self._requests),
            ]
        return "".join(f"{line}\n" for line in lines)


def _family(name: str, explanation: str, kind: str, samples: Counter[Labels] | dict[Labels, int]) -> list[str]:
    if not samples:
        return []
    head = [f"# HELP {name} {explanation}", f"# TYPE {name} {kind}"]
    return head + [f"{name}{_written(labels)} {value}" for labels, value in sorted(samples.items())]


def _histogram(name: str, explanation: str, rows: dict[Labels, list[float]]) -> list[str]:
    if not rows:
        return []
    lines = [f"# HELP {name} {explanation}", f"# TYPE {name} histogram"]
    for labels, row in sorted(rows.items()):
        count = 0
        for bound, here in zip((*BUCKETS, "+Inf"), row[:-1], strict=True):
            count += int(here)
            lines.append(f"{name}_bucket{_written((*labels, ('le', bound)))} {count}")
        lines.append(f"{name}_sum{_written(labels)} {row[-1]}")
        lines.append(f"{name}_count{_written(labels)} {count}")
    return lines


def _written(labels: Labels) -> str:
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
