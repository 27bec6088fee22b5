"""What is asked of Prometheus, in PromQL.

Owns: the five metric families' names, how a counter that did not exist is read, how a quiet day reads.
Deliberately does not: know panels, rules or thresholds.

Three facts of the gateway shape every query (`reference/sentinel.md`, and Prometheus's own way with counters):

- A family without a sample is absent, and a counter appears with its first event already counted. `rate` sees nothing
  of that event, and on a gateway with one user the first error of the day is the one that matters. So a series that
  was not there a window ago, while the gateway was being scraped, counts from zero.
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
CONTAINER_MEMORY = "sentinel_container_memory_bytes"
CONTAINER_LIMIT = "sentinel_container_memory_limit_bytes"
CONTAINER_CPU = "sentinel_container_cpu_seconds_total"
PROCESS_MEMORY = "sentinel_process_memory_bytes"
MEMORY_TARGET = "sentinel_memory_target_bytes"
RESOURCES_WINDOW = "5m"
"""Of a look a minute, as many as a rate needs where one is late."""

MOST_SERIES = 12
"""Lines of one panel: `tool` is whatever name a client sent, so their number has no limit of its own."""

PANEL_WINDOW = "$__rate_interval"
PANEL_WINDOW_SECONDS = "($__rate_interval_ms / 1000)"

TOOLS = 'tool=~"$tool"'
BACKENDS = 'backend=~"$backend"'


def window(seconds: float) -> str:
    """Seconds as PromQL and Grafana write a duration: 300 is `5m`, 15 is `15s`."""
    whole = int(seconds)
    return f"{whole // 60}m" if whole % 60 == 0 else f"{whole}s"


def grown(metric: str, over: str, *matchers: str) -> str:
    """By how much each series of a counter grew within the window; one that was born in it counts from zero."""
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
    """part / whole of two sums, 0 where there is nothing of which it could be a share."""
    return zero_when_absent(f"({zero_when_absent(part)})\n/ ({whole} > 0)")


def request_rate() -> str:
    """Calls a second, by tool and status."""
    rate = f"sum by (tool, status) {grown(REQUESTS, PANEL_WINDOW, TOOLS)}\n/ {PANEL_WINDOW_SECONDS}"
    return zero_when_absent(f"topk({MOST_SERIES}, {rate})", tool="no calls")


def latency(quantile: float) -> str:
    """Seconds that this share of calls stayed below; nothing above the largest finite bucket can be told apart."""
    buckets = f"sum by (le) {grown(f'{DURATIONS}_bucket', PANEL_WINDOW, TOOLS)}"
    # Of no calls the quantile is no number, and no number is not >= 0.
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
    """1 healthy, 0 not, one series a backend."""
    return zero_when_absent(f"min by (backend) ({HEALTHY}{{{BACKENDS}}})", backend="gateway not seen")


def rate_limit_hits() -> str:
    """Calls that the rate limit refused, a minute, by tool."""
    rate = f"sum by (tool) {grown(RATE_LIMIT_HITS, PANEL_WINDOW, TOOLS)}\n/ {PANEL_WINDOW_SECONDS} * 60"
    return zero_when_absent(f"topk({MOST_SERIES}, {rate})", tool="no hits")


def gateway_up() -> str:
    """1 where Prometheus reaches the gateway, 0 where it does not or has no such target."""
    return zero_when_absent(f'max(up{{job="{JOB}"}})')


def backend_healthy() -> str:
    """The same as the panel's, for all backends, without a stand-in: no gateway is the gateway's alert."""
    return f"min by (backend) ({HEALTHY})"


def slow_share(over: str, seconds: float) -> str:
    """The share of calls that took longer than `seconds`, which must be a bucket's threshold."""
    threshold = f"{seconds:g}"
    written = threshold if "." in threshold else f"{threshold}|{threshold}\\\\.0"
    quick = grown(f"{DURATIONS}_bucket", over, f'le=~"{written}"')
    calls = f"sum {grown(f'{DURATIONS}_count', over)}"
    return zero_when_absent(f"({calls}\n- sum {quick})\n/ ({calls} > 0)")


def cutover() -> str:
    """Sentinel has the port, and a minute ago had not, while Prometheus was there to see it."""
    now = f'up{{job="{CUTOVER_JOB}"}}'
    return f'{now} unless on () ({now} offset 1m)\nand on () (up{{job="prometheus"}} offset 1m)'


def rollback() -> str:
    """Sentinel had the port a minute ago, and now has not."""
    now = f'up{{job="{CUTOVER_JOB}"}}'
    return f'{now} offset 1m unless on () {now}\nand on () up{{job="prometheus"}}'


def new_version() -> str:
    """Sentinel has the port as before, in another container."""
    now = f'up{{job="{CUTOVER_JOB}"}}'
    return f"{now} unless on (container) ({now} offset 1m)\nand on () ({now} offset 1m)"


def backup_age_hours() -> str:
    """Hours since the last good backup, or since the nightly job was installed, whichever is later.

    Where neither is told it is the hours since 1970, but only while Sentinel has the port: else there is no such job.
    """
    latest = f'max({{__name__=~"{LAST_BACKUP}|{NIGHTLY_INSTALLED}"}})'
    age = f"(time() - ({zero_when_absent(latest)})) / 3600"
    return zero_when_absent(f'({age}\nand on () max(up{{job="{CUTOVER_JOB}"}}))')


def token_days_left() -> str:
    """Days of life that Claude's token has left. No series before the first nightly job reported its end."""
    return f"(max({TOKEN_EXPIRES}) - time()) / 86400"


def container_memory() -> str:
    """Bytes by container, without the file cache that the kernel can drop."""
    return f"max by (container) ({CONTAINER_MEMORY})"


def memory_share() -> str:
    """The share of its limit that a container has, 0 to 1."""
    return f"{container_memory()}\n/ (max by (container) ({CONTAINER_LIMIT}) > 0)"


def container_cpu() -> str:
    """Processor cores that a container keeps busy."""
    return f"sum by (container) (rate({CONTAINER_CPU}[{RESOURCES_WINDOW}]))"


def process_memory() -> str:
    """Bytes of bridge and gateway, without the backends in their container; the larger where two containers run."""
    return f"max by (process) ({PROCESS_MEMORY})"


def gateway_memory() -> str:
    """Bytes of bridge and gateway together: what the target is about. 0 where nobody looks."""
    return zero_when_absent(f"max(sum by (container) ({PROCESS_MEMORY}))")


def memory_target() -> str:
    """Bytes that they should stay under."""
    return f"max({MEMORY_TARGET})"
