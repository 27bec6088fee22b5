"""The PromQL queries of panels and alerts.

Owns: the metrics' names, the reading of a counter that did not exist before, and the value shown without any call.
Deliberately does not: know panels, rules or thresholds.

Three facts of the gateway shape every query (`reference/sentinel.md`, and Prometheus's handling of counters):

- A family without a sample is absent, and a counter appears with its first event already counted. `rate` sees nothing
  of that event, and on a gateway with one user the first error of the day is the one that matters. So a series that
  did not exist a window ago, while the gateway was being scraped, counts from zero.
- A division by zero is no number: every share is over what is above zero, and reads 0 where there was no call.
- Prometheus 3 writes the bucket `le="10"` as `le="10.0"`; 2.53 leaves it. Queries match both.
"""

from __future__ import annotations

JOB = "sentinel"
REQUESTS = "sentinel_requests_total"
DURATIONS = "sentinel_request_duration_seconds"
ERRORS = "sentinel_errors_total"
HEALTHY = "sentinel_backend_healthy"
RATE_LIMIT_HITS = "sentinel_rate_limit_hits_total"
CUTOVER_JOB = "cutover"
LAST_BACKUP = "sentinel_backup_last_good_timestamp_seconds"
NIGHTLY_INSTALLED = "sentinel_nightly_installed_timestamp_seconds"
TOKEN_EXPIRES = "sentinel_token_expires_timestamp_seconds"
ROLLBACK_POSSIBLE = "sentinel_rollback_possible"
CONTAINER_MEMORY = "sentinel_container_memory_bytes"
CONTAINER_LIMIT = "sentinel_container_memory_limit_bytes"
CONTAINER_CPU = "sentinel_container_cpu_seconds_total"
PROCESS_MEMORY = "sentinel_process_memory_bytes"
MEMORY_TARGET = "sentinel_memory_target_bytes"
RESOURCES_WINDOW = "5m"
"""Holds five samples at one a minute: enough for a rate although one is late."""

MOST_SERIES = 12
"""Lines of one panel: `tool` is any name that a client sent, so that their number is unlimited."""

PANEL_WINDOW = "$__rate_interval"
PANEL_WINDOW_SECONDS = "($__rate_interval_ms / 1000)"

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
    """Seconds that this share of calls stayed below; the largest finite bucket is also the largest value."""
    buckets = f"sum by (le) {grown(f'{DURATIONS}_bucket', PANEL_WINDOW, TOOLS)}"
    # Without calls the quantile is NaN, which is not >= 0.
    return zero_when_absent(f"histogram_quantile({quantile:g}, {buckets}) >= 0")


def error_rate() -> str:
    """Errors a second, by type."""
    rate = f"sum by (error_type) {grown(ERRORS, PANEL_WINDOW, TOOLS)}\n/ {PANEL_WINDOW_SECONDS}"
    return zero_when_absent(rate, error_type="no errors")


def failed_share(over: str, *matchers: str) -> str:
    """The share of calls that failed, 0 to 1."""
    failed = grown(REQUESTS, over, *matchers, 'status="error"')
    return share(f"sum {failed}", f"sum {grown(REQUESTS, over, *matchers)}")


def backend_health() -> str:
    """1 healthy, 0 not, one series per backend."""
    return zero_when_absent(f"min by (backend) ({HEALTHY}{{{BACKENDS}}})", backend="gateway not seen")


def rate_limit_hits() -> str:
    """Calls that the rate limit refused, a minute, by tool."""
    rate = f"sum by (tool) {grown(RATE_LIMIT_HITS, PANEL_WINDOW, TOOLS)}\n/ {PANEL_WINDOW_SECONDS} * 60"
    return zero_when_absent(f"topk({MOST_SERIES}, {rate})", tool="no hits")


def gateway_up() -> str:
    """1 where Prometheus reaches the gateway, 0 where it does not or has no such target."""
    return zero_when_absent(f'max(up{{job="{JOB}"}})')


def backend_healthy() -> str:
    """The panel's query for all backends, without a substitute: a missing gateway is the gateway's own alert."""
    return f"min by (backend) ({HEALTHY})"


def slow_share(over: str, seconds: float) -> str:
    """The share of calls that took longer than `seconds`, which must be a bucket's threshold."""
    threshold = f"{seconds:g}"
    written = threshold if "." in threshold else f"{threshold}|{threshold}\\\\.0"
    quick = grown(f"{DURATIONS}_bucket", over, f'le=~"{written}"')
    calls = f"sum {grown(f'{DURATIONS}_count', over)}"
    return zero_when_absent(f"({calls}\n- sum {quick})\n/ ({calls} > 0)")


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

    Without either series it is the hours since 1970, but only while Sentinel has the port: else there is no such job.
    """
    latest = f'max({{__name__=~"{LAST_BACKUP}|{NIGHTLY_INSTALLED}"}})'
    age = f"(time() - ({zero_when_absent(latest)})) / 3600"
    return zero_when_absent(f'({age}\nand on () max(up{{job="{CUTOVER_JOB}"}}))')


def token_days_left() -> str:
    """Days until Claude's token expires. No series until a nightly job has reported its end."""
    return f"(max({TOKEN_EXPIRES}) - time()) / 86400"


def rollback_possible() -> str:
    """1 when the predecessor passed its gates in the last nightly job, else 0. No series where it was not called."""
    return f"min({ROLLBACK_POSSIBLE})"


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
