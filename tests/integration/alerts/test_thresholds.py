"""Each rule on both sides of its threshold, in time and in value, and where its series are absent."""

from __future__ import annotations

import pytest

from bridge.measures import AUDIT_ROW_LOST, Measures
from dashboards import queries
from dashboards.alerting.rules import Alert, alerts
from lab.doubles.sentinel.metrics import Metrics
from settings.operations_sections import Alerts
from tests.integration.alerts.promtool import SCRAPE_SECONDS, Series, ever_fires, rule, run
from tests.integration.alerts.series import CUTOVER, UP, calls, memory, world, worst_worlds

pytestmark = pytest.mark.prometheus

BY_TITLE = {alert.title: alert for alert in alerts(Alerts())}
ALERTS = pytest.mark.parametrize("alert", BY_TITLE.values(), ids=list(BY_TITLE))
HOUR = 3600
OLD = "Backup too old"


def holds(title: str, series: Series, expected: dict[int, list[dict[str, str]]]) -> None:
    complaint = run(rule(BY_TITLE[title]), series, expected)
    assert complaint == "", complaint


def test_the_gateway_is_down_after_one_minute_and_not_a_scrape_earlier() -> None:
    holds("Gateway down", {UP: "1x4 0x20"}, {75: [], 75 + 45: [], 75 + 60: [{}]})


def test_a_gateway_that_never_ran_is_down_too() -> None:
    holds("Gateway down", {}, {45: [], 60: [{}]})


def test_a_gateway_whose_clients_are_not_served_is_down_though_it_is_scraped() -> None:
    port = {"sentinel_bridge_port_healthy": "1x4 0x8 1x8"}
    holds("Gateway down", {UP: "1x20", **port}, {75: [], 75 + 60: [{}], 75 + 135: []})
    holds("Gateway down", {UP: "1x20"}, {75: [], 75 + 120: []})


def test_the_alert_resolves_at_the_first_scrape_of_a_gateway_that_is_up_again() -> None:
    holds("Gateway down", {UP: "0x8 1x4"}, {120: [{}], 135: []})


def test_a_backend_is_unhealthy_after_two_minutes_and_only_that_one_is_named() -> None:
    def happens(metrics: Metrics, number: int) -> None:
        metrics.backend("sqlite", number < 5)
        metrics.backend("n8n", True)

    holds("Backend unhealthy", world(600, happens), {75: [], 75 + 105: [], 75 + 120: [{"backend": "sqlite"}]})


def test_no_backend_at_all_is_the_gateways_alert() -> None:
    assert not ever_fires(rule(BY_TITLE["Backend unhealthy"]), {UP: "0x40"}, 600)


@pytest.mark.parametrize(("failed", "fires"), [(1, False), (2, True)], ids=["ten-percent", "twenty-percent"])
def test_calls_fail_above_a_tenth_and_not_at_it(failed: int, fires: bool) -> None:
    series = world(900, calls(10, failed))
    holds("Calls fail", series, {600: [{}] if fires else [], 885: [{}] if fires else []})


def test_the_first_error_ever_counts_although_its_counter_was_absent_before() -> None:
    def happens(metrics: Metrics, number: int) -> None:
        if number == 40:
            metrics.request("list_tables", 0.03, "error")

    series = world(1200, happens)
    holds("Calls fail", series, {585: [], 600: [{}], 885: [{}], 915: []})


@pytest.mark.parametrize(
    ("status", "fires"),
    [
        ("error", True),
        ("invalid_args", True),
        ("circuit_open", True),
        ("killed", False),
        ("rate_limited", False),
        ("denied", False),
    ],
)
def test_every_status_but_success_is_a_failure_unless_the_configuration_refused_the_call(
    status: str, fires: bool
) -> None:
    def happens(metrics: Metrics, number: int) -> None:
        for call in range(10):
            metrics.request("list_tables", 0.03 if call < 8 else 0, None if call < 8 else status)

    assert ever_fires(rule(BY_TITLE["Calls fail"]), world(600, happens), 600) is fires


def test_refused_calls_do_not_hide_those_that_fail_and_are_slow() -> None:
    """Thousands of a client that loops into its rate limit, and one call in ten that fails after 30 s."""

    def happens(metrics: Metrics, number: int) -> None:
        for _ in range(1000):
            metrics.request("list_tables", 0, "rate_limited")
        for call in range(10):
            metrics.request("list_tables", 0.03 if call < 8 else 30, None if call < 8 else "error")

    series = world(900, happens)
    for title in ("Calls fail", "Calls are slow"):
        holds(title, series, {600: [{}], 885: [{}]})


def test_an_open_breaker_keeps_both_alerts_firing() -> None:
    """Five calls of 30 s open it; from then on a hundred are refused at once for each that is let through."""

    def happens(metrics: Metrics, number: int) -> None:
        if number < 20:
            metrics.request("list_tables", 0.03, None)
            return
        for _ in range(5 if number == 20 else 1):
            metrics.request("list_tables", 30, "error")
        for _ in range(100):
            metrics.request("list_tables", 0, "circuit_open")

    series = world(1500, happens)
    for title in ("Calls fail", "Calls are slow"):
        holds(title, series, {285: [], 300: [{}], 615: [{}], 1485: [{}]})


@pytest.mark.parametrize(("slow", "fires"), [(1, False), (2, True)], ids=["one-percent", "two-percent"])
def test_calls_are_slow_when_more_than_one_in_a_hundred_is(slow: int, fires: bool) -> None:
    def happens(metrics: Metrics, number: int) -> None:
        for call in range(100):
            metrics.request("list_tables", 11 if call < slow else 0.03, None)

    holds("Calls are slow", world(600, happens), {300: [{}] if fires else [], 585: [{}] if fires else []})


def test_a_call_of_exactly_the_threshold_is_not_slow() -> None:
    assert not ever_fires(rule(BY_TITLE["Calls are slow"]), world(600, calls(10, seconds=10)), 600)


@pytest.mark.parametrize(("seconds", "fires"), [(10, False), (11, True)])
def test_calls_that_wait_for_another_are_slow_too(seconds: float, fires: bool) -> None:
    """The gateway's own histogram begins when their turn comes."""

    def measured(measures: Measures, number: int) -> None:
        for call in range(10):
            measures.waited(seconds if call == 0 else 0)

    series = world(600, calls(10), measured=measured)
    holds("Calls are slow", series, {300: [{}] if fires else [], 585: [{}] if fires else []})


@pytest.mark.parametrize("line", AUDIT_ROW_LOST)
def test_one_lost_audit_row_is_an_alert_until_it_leaves_the_window(line: bytes) -> None:
    def measured(measures: Measures, number: int) -> None:
        if number == 40:
            measures.read(b"2026-01-01T00:00:00Z ERROR " + line + b" error=database away")

    series = world(1200, calls(10), measured=measured)
    holds("Audit rows lost", series, {585: [], 600: [{}], 885: [{}], 915: []})


def test_buckets_as_prometheus_3_writes_them_are_read_too() -> None:
    series = {name.replace('le="10"', 'le="10.0"'): values for name, values in world(600, calls(10)).items()}
    assert any('le="10.0"' in name for name in series)
    assert not ever_fires(rule(BY_TITLE["Calls are slow"]), series, 600)


@pytest.mark.parametrize(("more_mb", "fires"), [(0, False), (0.1, True)], ids=["at-the-target", "above-it"])
def test_bridge_and_gateway_together_count_after_ten_minutes_above_the_target(more_mb: float, fires: bool) -> None:
    series = memory(900, 40, Alerts().memory_target_mb - 40 + more_mb)
    holds("Memory above target", series, {585: [], 600: [{}] if fires else [], 885: [{}] if fires else []})


@pytest.mark.parametrize(("free", "fires"), [("0.1", False), ("0.099", True)], ids=["at-a-tenth", "below-it"])
def test_the_fullest_disk_counts_after_ten_minutes_below_a_tenth(free: str, fires: bool) -> None:
    series = {f'{queries.DISK_FREE}{{disk="docker"}}': f"{free}x60", f'{queries.DISK_FREE}{{disk="product"}}': "0.9x60"}
    holds("Disk nearly full", series, {585: [], 600: [{}] if fires else [], 885: [{}] if fires else []})


def test_rules_of_the_firewall_that_were_lost_once_are_an_alert_at_once_and_for_five_minutes() -> None:
    minute = 60 // SCRAPE_SECONDS
    series = {queries.FIREWALL_UNMET: f"0x{minute} 12x{minute} 0x{12 * minute}"}
    holds("Firewall rules lost", series, {60: [], 90: [{}], 300: [{}], 600: []})
    assert not ever_fires(rule(BY_TITLE["Firewall rules lost"]), {}, 600)


LAST_BACKUP = f'{queries.LAST_BACKUP}{{job="host",instance="127.0.0.1:9090"}}'
INSTALLED = f'{queries.NIGHTLY_INSTALLED}{{job="host",instance="127.0.0.1:9090"}}'
OVER_A_DAY = 26 * HOUR
"""promtool's clock begins at 1970, so a timestamp is a second of the test."""


def always(value: str) -> str:
    return f"{value}x{(OVER_A_DAY + HOUR) // SCRAPE_SECONDS}"


@pytest.mark.parametrize(
    "reported",
    [{INSTALLED: "0"}, {LAST_BACKUP: "0"}, {INSTALLED: "0", LAST_BACKUP: "0"}],
    ids=["never-one", "long-installed", "both"],
)
def test_a_backup_is_too_old_after_26_hours_and_ten_minutes_of_it(reported: dict[str, str]) -> None:
    series = {CUTOVER: always("1"), **{name: always(value) for name, value in reported.items()}}
    holds(OLD, series, {OVER_A_DAY: [], OVER_A_DAY + 600: [], OVER_A_DAY + 630: [{}]})


def test_a_new_installation_beside_an_old_backup_has_until_its_first_nightly_job() -> None:
    late = str(20 * HOUR)
    series = {CUTOVER: always("1"), LAST_BACKUP: always("0"), INSTALLED: always(late)}
    holds(OLD, series, {OVER_A_DAY + 630: []})


def test_a_backup_dated_ahead_of_the_clock_does_not_silence_the_alert() -> None:
    ahead = str(365 * 24 * HOUR)
    series = {CUTOVER: always("1"), LAST_BACKUP: always(ahead), INSTALLED: always("0")}
    holds(OLD, series, {OVER_A_DAY: [], OVER_A_DAY + 630: [{}]})


@pytest.mark.parametrize(("copied", "fires"), [("0", True), (str(20 * HOUR), False)], ids=["failing", "copied"])
def test_a_copy_that_fails_is_reported_like_the_dump(copied: str, fires: bool) -> None:
    copy = f'{queries.LAST_COPY}{{job="host",instance="127.0.0.1:9090"}}'
    series = {CUTOVER: always("1"), LAST_BACKUP: always(str(20 * HOUR)), INSTALLED: always("0"), copy: always(copied)}
    holds(OLD, series, {OVER_A_DAY: [], OVER_A_DAY + 630: [{}] if fires else []})


def test_a_host_that_reports_no_data_alerts_too_while_sentinel_has_the_port() -> None:
    """Since 1970 no backup is 26 h old at the test's beginning; from then on it is."""
    holds(OLD, {CUTOVER: always("1")}, {OVER_A_DAY: [], OVER_A_DAY + 630: [{}]})
    holds(OLD, {UP: always("1")}, {OVER_A_DAY + 630: []})


@ALERTS
def test_a_quiet_day_is_silent(alert: Alert) -> None:
    """No call at all, and then none for an hour after some."""

    def happens(metrics: Metrics, number: int) -> None:
        metrics.backend("sqlite", True)
        if number == 2:
            metrics.request("list_tables", 0.03, None)

    assert not ever_fires(rule(alert), world(HOUR, happens), HOUR)
    assert not ever_fires(rule(alert), {UP: f"1x{HOUR // SCRAPE_SECONDS}"}, HOUR)


@pytest.mark.parametrize(("title", "days"), [("Token ends soon", 14), ("Token ends", 3)])
def test_a_token_that_is_not_renewed_alerts_ten_minutes_after_its_threshold(title: str, days: int) -> None:
    """promtool's clock begins at 1970: the token ends one hour and so many days later."""
    expires = f'{queries.TOKEN_EXPIRES}{{job="host",instance="127.0.0.1:9090"}}'
    series = {expires: f"{HOUR + days * 86400}x{2 * HOUR // SCRAPE_SECONDS}"}
    holds(title, series, {HOUR: [], HOUR + 600: [], HOUR + 630: [{}]})
    assert not ever_fires(rule(BY_TITLE[title]), {UP: "1x40"}, 600)


def test_a_rollback_that_failed_its_gates_alerts_after_ten_minutes_and_ends_with_the_next_good_one() -> None:
    possible = f'{queries.ROLLBACK_POSSIBLE}{{job="host",instance="127.0.0.1:9090"}}'
    holds("Rollback not possible", {possible: "0x80 1x20"}, {585: [], 600: [{}], 1200: [{}], 1215: []})
    holds("Rollback not possible", {UP: "1x80"}, {1200: []})


@ALERTS
def test_there_is_data_that_the_gateway_can_produce_for_which_the_rule_fires(alert: Alert) -> None:
    if alert.title == OLD:
        pytest.skip("its threshold is hours away; the tests above are on both sides of it")
    assert any(ever_fires(rule(alert), one, 900) for one in worst_worlds(900))


def test_the_papers_rule_fails_the_same_test_since_it_can_never_fire() -> None:
    """p99 above 30 s: `histogram_quantile` never exceeds the largest finite bucket, 10 s."""
    buckets = "sum by (le) (rate(sentinel_request_duration_seconds_bucket[5m]))"
    rule = {"alert": "paper", "expr": f"histogram_quantile(0.99, {buckets}) > 30"}
    assert not any(ever_fires(rule, one, 900) for one in worst_worlds(900))
    at_ten = {"alert": "paper", "expr": f"histogram_quantile(0.99, {buckets}) >= 10"}
    assert any(ever_fires(at_ten, one, 900) for one in worst_worlds(900))
