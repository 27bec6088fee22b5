"""The alerts against the published gateway's own metrics and log, recorded before and after each kind of outage."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from bridge.measures import Measures
from dashboards.alerting.rules import alerts
from settings.operations_sections import Alerts
from tests.integration.alerts import outages
from tests.integration.alerts.promtool import SCRAPE_SECONDS, Series, ever_fires, rule, run
from tests.integration.alerts.series import scraped

BY_TITLE = {alert.title: alert for alert in alerts(Alerts())}
FAIL, SLOW, LOST, UNHEALTHY = "Calls fail", "Calls are slow", "Audit rows lost", "Backend unhealthy"
EXPECTED: dict[str, set[str]] = {
    "http_errors": {FAIL},
    "hanging_backend": {FAIL, SLOW},
    "dead_child": {FAIL, SLOW},
    "unhealthy_backend": {UNHEALTHY},
    "wrong_arguments": {FAIL},
    "unknown_tool": {FAIL},
    "kill_switch": set(),
    "rate_limit": set(),
    "denied_tool": set(),
    "lost_database": {LOST},
    "full_audit_channel": {LOST},
    "zero_character": {LOST},
}
RECORDED = outages.recorded()
EACH = pytest.mark.parametrize("name", EXPECTED)
QUIET_SCRAPES = 41
OUTAGE_SECONDS = QUIET_SCRAPES * SCRAPE_SECONDS
WATCHED = (FAIL, SLOW, LOST, UNHEALTHY, "Gateway down")


def series(recorded: outages.Recorded) -> Series:
    """Ten minutes as it was before, ten minutes as it was afterwards, with the bridge's count of the log's lines."""
    measures = Measures()

    def texts() -> Generator[str]:
        for lines, log in ((recorded["before"], []), (recorded["after"], recorded["log"])):
            for line in log:
                measures.read(line.encode())
            for _ in range(QUIET_SCRAPES):
                yield "".join(f"{line}\n" for line in lines) + measures.text()

    return scraped(texts())


@pytest.mark.prometheus
@EACH
def test_each_kind_of_outage_brings_about_its_alerts_and_no_others(name: str) -> None:
    made = series(RECORDED[name])
    fired = {title for title in WATCHED if ever_fires(rule(BY_TITLE[title]), made, 2 * OUTAGE_SECONDS - 15)}
    assert fired == EXPECTED[name]


@pytest.mark.prometheus
@pytest.mark.parametrize("name", [name for name, titles in EXPECTED.items() if titles - {UNHEALTHY}])
def test_an_alert_begins_with_the_outages_first_scrape_and_ends_with_its_window(name: str) -> None:
    window = int(60 * Alerts().error_minutes)
    silent, firing = list[dict[str, str]](), [dict[str, str]()]
    expected = {OUTAGE_SECONDS - 15: silent, OUTAGE_SECONDS: firing, OUTAGE_SECONDS + window - 30: firing, 1200: silent}
    for title in EXPECTED[name]:
        complaint = run(rule(BY_TITLE[title]), series(RECORDED[name]), expected)
        assert complaint == "", complaint


def test_every_recorded_outage_has_its_alerts() -> None:
    assert set(RECORDED) == set(outages.OUTAGES) == set(EXPECTED)
