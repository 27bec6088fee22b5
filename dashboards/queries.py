"""The PromQL queries of panels and alerts.

Owns: the metrics' names, the reading of a counter that did not exist before, and the value shown without any call.
Deliberately does not: know panels, rules or thresholds.

Facts of the gateway that shape the queries (`reference/sentinel-behaviour.md`, and Prometheus's handling of counters):

- A family without a sample is absent, and a counter appears with its first event already counted. `rate` sees nothing
  of that event, and on a gateway with one user the first error of the day is the one that matters. So a series that
  did not exist a window ago, while the gateway was being scraped, counts from zero.
- A division by zero is no number: every share is over what is above zero, and reads 0 where there was no call.
- `status` is success, error, invalid_args, circuit_open, killed, rate_limited or denied. The last three are what the
  operator configured: no failure, and no call whose failure could be measured. A tool's own error (`isError`) is a
  success.
- A call that reaches no backend, such as one that the breaker refuses, is 0 s in the histogram. Without its subtraction
  p99 would improve while a backend is down.
- The histogram begins when a call's turn comes; the bridge measures the wait before it.
- Prometheus 3 writes the bucket `le="10"` as `le="10.0"`; 2.53 leaves it. Queries match both.
"""

from __future__ import annotations

JOB = "sentinel"
REQUESTS = "sentinel_requests_total"
DURATIONS = "sentinel_request_duration_seconds"
ERRORS = "sentinel_errors_total"
WAITS = "sentinel_bridge_wait_seconds"
AUDIT_ROWS_LOST = "sentinel_bridge_audit_rows_lost_total"
HEALTHY = "sentinel_backend_healthy"
PORT_HEALTHY = "sentinel_bridge_port_healthy"
RATE_LIMIT_HITS = "sentinel_rate_limit_hits_total"
CUTOVER_JOB = "cutover"
LAST_BACKUP = "sentinel_backup_last_good_timestamp_seconds"
LAST_COPY = "sentinel_backup_copy_last_good_timestamp_seconds"
NIGHTLY_INSTALLED = "sentinel_nightly_installed_timestamp_seconds"
TOKEN_EXPIRES = "sentinel_token_expires_timestamp_seconds"
ROLLBACK_POSSIBLE = "sentinel_rollback_possible"
CONTAINER_MEMORY = "sentinel_container_memory_bytes"
CONTAINER_LIMIT = "sentinel_container_memory_limit_bytes"
CONTAINER_CPU = "sentinel_container_cpu_seconds_total"
PROCESS_MEMORY = "sentinel_process_memory_bytes"
DISK_FREE = "sentinel_disk_free_share"
FIREWALL_UNMET = "sentinel_firewall_rules_unmet"
MEMORY_TARGET = "sentinel_memory_target_bytes"
CLOCK_SECONDS = 300
"""A time that is further ahead than this was written by a clock that was wrong."""
RESOURCES_WINDOW = "5m"
"""Holds five samples at one a minute: enough for a rate although one is late."""

MOST_SERIES = 12
"""Lines of one panel: `tool` is any name that a client sent, so that their number is unlimited."""

PANEL_WINDOW = "$__rate_interval"
PANEL_WINDOW_SECONDS = "($__rate_interval_ms / 1000)"

_REFUSED = "killed|rate_limited|denied"
"""Statuses of calls that the operator's own configuration refused."""
_WITHOUT_BACKEND = f"circuit_open|invalid_args|{_REFUSED}"
"""Statuses of calls that no backend has seen."""

TOOLS = 'tool=~"$tool"'
BACKENDS = 'backend=~"$backend"'


def window(seconds: float) -> str:
    """Seconds as a duration of PromQL and Grafana: 300 is `5m`, 15 is `15s`."""
    whole = int(seconds)
    return f"{whole // 60}m" if whole % 60 == 0 else f"{whole}s"


def grown(metric: str, over: str, *matchers: str) -> str:
    """The growth of each series of a counter within the window; a series that began in it counts from zero."""
    series = f"{metric}{{{','.join(matchers)}}}" if matchers else metric
    return (
        "(\n"
        f"  ({series} unless {series} offset {over})\n"
        f'    and on (instance) (up{{job="{JOB}"}} offset {over} == 1)\n'
        f"  or increase({series}[{over}])\n"
        ")"
    )


def zero_when_absent(expression: str, **label: str) -> str:
    """The expression, or a single 0 where it has no series at all; `label` names that 0 in a legend."""
    zero = "vector(0)"
    for key, value in label.items():
        zero = f'label_replace({zero}, "{key}", "{value}", "", "")'
    return f"{expression}\nor on () {zero}"


def share(part: str, whole: str) -> str:
    """part / whole of two sums, 0 where the whole is 0 or absent."""
    return zero_when_absent(f"({zero_when_absent(part)})\n/ ({whole} > 0)")


def request_rate() -> str:
    """Calls a second, by tool and status."""
    rate = f"sum by (tool, status) {grown(REQUESTS, PANEL_WINDOW, TOOLS)}\n/ {PANEL_WINDOW_SECONDS}"
    return zero_when_absent(f"topk({MOST_SERIES}, {rate})", tool="no calls")


def latency(quantile: float) -> str:
    """Seconds that this share of a backend's calls stayed below; the largest finite bucket is the largest value."""
    refused = grown(REQUESTS, PANEL_WINDOW, TOOLS, f'status=~"{_WITHOUT_BACKEND}"')
    buckets = f"sum by (le) {grown(f'{DURATIONS}_bucket', PANEL_WINDOW, TOOLS)}"
    # Each is 0 s, so it is in every bucket.
    called = f"clamp_min({buckets}\n- on () group_left () ({zero_when_absent(f'sum {refused}')}), 0)"
    return _quantile(quantile, called)


def waiting(quantile: float) -> str:
    """Seconds that this share of calls waited at the bridge for their turn, whatever the tool."""
    return _quantile(quantile, f"sum by (le) {grown(f'{WAITS}_bucket', PANEL_WINDOW)}")


def _quantile(quantile: float, buckets: str) -> str:
    # Without calls the quantile is NaN, which is not >= 0.
    return zero_when_absent(f"histogram_quantile({quantile:g}, {buckets}) >= 0")


def error_rate() -> str:
    """Errors a second, by type."""
    rate = f"sum by (error_type) {grown(ERRORS, PANEL_WINDOW, TOOLS)}\n/ {PANEL_WINDOW_SECONDS}"
    return zero_when_absent(rate, error_type="no errors")


def failed_share(over: str, *matchers: str) -> str:
    """The share of calls that failed, 0 to 1, of those that the configuration did not refuse."""
    failed = grown(REQUESTS, over, *matchers, f'status!~"success|{_REFUSED}"')
    allowed = grown(REQUESTS, over, *matchers, f'status!~"{_REFUSED}"')
    return share(f"sum {failed}", f"sum {allowed}")


def backend_health() -> str:
    """1 healthy, 0 not, one series per backend."""
    return zero_when_absent(f"min by (backend) ({HEALTHY}{{{BACKENDS}}})", backend="gateway not seen")


def rate_limit_hits() -> str:
    """Calls that the rate limit refused, a minute, by tool."""
    rate = f"sum by (tool) {grown(RATE_LIMIT_HITS, PANEL_WINDOW, TOOLS)}\n/ {PANEL_WINDOW_SECONDS} * 60"
    return zero_when_absent(f"topk({MOST_SERIES}, {rate})", tool="no hits")


def gateway_up() -> str:
    """1 where Prometheus reaches the gateway and the bridge's probe found its clients served, 0 where it is not so.

    An image that serves alone has no such probe.
    """
    return zero_when_absent(f'max(up{{job="{JOB}"}})\n* (min({PORT_HEALTHY}) or vector(1))')


def backend_healthy() -> str:
    """The panel's query for all backends, without a substitute: a missing gateway is the gateway's own alert."""
    return f"min by (backend) ({HEALTHY})"


def slow_share(over: str, seconds: float) -> str:
    """The share of calls that took, or waited, longer than `seconds`, which must be a bucket's threshold."""
    slow = f"({_longer(DURATIONS, over, seconds)})\n+ ({_longer(WAITS, over, seconds)})"
    called = grown(REQUESTS, over, f'status!~"{_WITHOUT_BACKEND}"')
    return share(slow, f"sum {called}")


def _longer(histogram: str, over: str, seconds: float) -> str:
    """The number of calls above a bucket's threshold."""
    threshold = f"{seconds:g}"
    written = threshold if "." in threshold else f"{threshold}|{threshold}\\\\.0"
    quick = grown(f"{histogram}_bucket", over, f'le=~"{written}"')
    return zero_when_absent(f"sum {grown(f'{histogram}_count', over)}\n- sum {quick}")


def audit_rows_lost(over: str) -> str:
    """Rows of the audit log that the gateway dropped within the window."""
    return zero_when_absent(f"sum {grown(AUDIT_ROWS_LOST, over)}")


def audit_rows_lost_rate() -> str:
    """Such rows a second."""
    return zero_when_absent(f"sum {grown(AUDIT_ROWS_LOST, PANEL_WINDOW)}\n/ {PANEL_WINDOW_SECONDS}")


def cutover() -> str:
    """Sentinel has the port and did not have it a minute ago, while Prometheus was running."""
    now = f'up{{job="{CUTOVER_JOB}"}}'
    return f'{now} unless on () ({now} offset 1m)\nand on () (up{{job="prometheus"}} offset 1m)'


def rollback() -> str:
    """Sentinel had the port a minute ago and does not have it now."""
    now = f'up{{job="{CUTOVER_JOB}"}}'
    return f'{now} offset 1m unless on () {now}\nand on () up{{job="prometheus"}}'


def new_version() -> str:
    """Sentinel still has the port, in another container."""
    now = f'up{{job="{CUTOVER_JOB}"}}'
    return f"{now} unless on (container) ({now} offset 1m)\nand on () ({now} offset 1m)"


def backup_age_hours() -> str:
    """Hours since the last good backup, or since the nightly job was installed, whichever is later.

    Where backups are copied elsewhere, the older of the last backup and the last copy counts. A time ahead of the
    clock, which was wrong then, counts for nothing. Without any series it is the hours since 1970, but only while
    Sentinel has the port: else there is no such job.
    """
    backup, copy = (
        f'max({{__name__=~"{series}|{NIGHTLY_INSTALLED}"}} <= time() + {CLOCK_SECONDS})'
        for series in (LAST_BACKUP, LAST_COPY)
    )
    latest = (
        f'min(label_replace({backup}, "of", "backup", "", "")\n'
        f'or (label_replace({copy}, "of", "copy", "", "") and on () max({LAST_COPY})))'
    )
    age = f"(time() - ({zero_when_absent(latest)})) / 3600"
    return zero_when_absent(f'({age}\nand on () max(up{{job="{CUTOVER_JOB}"}}))')


def token_days_left() -> str:
    """Days until Claude's token expires. No series until a nightly job has reported its end."""
    return f"(max({TOKEN_EXPIRES}) - time()) / 86400"


def rollback_possible() -> str:
    """1 when the predecessor passed its gates in the last nightly job, else 0. No series where it was not called."""
    return f"min({ROLLBACK_POSSIBLE})"


def firewall_unmet() -> str:
    """The firewall's rules that some reading of the last minutes found without effect."""
    return zero_when_absent(f"max(max_over_time({FIREWALL_UNMET}[5m]))")


def disk_free() -> str:
    """The free part of each disk of the product's, 0 to 1."""
    return f"min by (disk) ({DISK_FREE})"


def container_memory() -> str:
    """Bytes by container, without the file cache that the kernel can drop."""
    return f"max by (container) ({CONTAINER_MEMORY})"


def memory_share() -> str:
    """A container's memory as a share of its limit, 0 to 1."""
    return f"{container_memory()}\n/ (max by (container) ({CONTAINER_LIMIT}) > 0)"


def container_cpu() -> str:
    """CPU cores that a container keeps busy."""
    return f"sum by (container) (rate({CONTAINER_CPU}[{RESOURCES_WINDOW}]))"


def process_memory() -> str:
    """Bytes of bridge and gateway, without the backends in their container; the larger where two containers run."""
    return f"max by (process) ({PROCESS_MEMORY})"


def gateway_memory() -> str:
    """Bytes of bridge and gateway together, to compare with the target. 0 where no figures are collected."""
    return zero_when_absent(f"max(sum by (container) ({PROCESS_MEMORY}))")


def memory_target() -> str:
    """The target of bridge and gateway, in bytes."""
    return f"max({MEMORY_TARGET})"
