"""Every alert on real parts, from a fault to Discord and from its end to the message that it is over.

The stack's times are seconds where the defaults are minutes: `lab/stack.yaml` sets `alerts.backend_minutes` and
`gateway_minutes` to 0.25, evaluates every 10 s, and scrapes every 5 s. What those settings allow is computed by
`lab.benchmarks.alerts.bounds`; nothing here is faster than a setting of the product makes it. This file comes after the
one that calls no tool: an outage is brought about after a minute without calls.
"""

from __future__ import annotations

from typing import Any

import pytest

from dashboards.alerting import rules
from dashboards.dashboard_file import RESOURCES_UID
from lab.benchmarks import alerts
from lab.box import Place
from lab.doubles.discord import running as discord
from settings import Settings
from tests.lab.cutover.conftest import Lab
from tests.soak import SOAK

pytestmark = [pytest.mark.lab, pytest.mark.timeout(420)]

ALL_TITLES = {
    alerts.sidecar_hangs: ("Backend unhealthy", "Calls fail", "Calls are slow"),
    alerts.database_hangs: ("Audit rows lost",),
    alerts.gateway_hangs: ("Gateway down",),
}
FAULTS = [fault for fault in ALL_TITLES if SOAK or fault is not alerts.database_hangs]
"""That one's alerts end a minute after it."""
TITLES = [title for fault in FAULTS for title in ALL_TITLES[fault]]


@pytest.fixture(scope="module")
def taken(deployed: Lab, settings: Settings) -> alerts.Taken:
    return alerts.take(deployed.box, settings, print, FAULTS)


def test_every_alert_of_the_product_is_brought_about(taken: alerts.Taken, settings: Settings) -> None:
    """In a soak; but those whose figures the host writes once a day or once a minute, and the lab not at all by itself:
    tests/integration/alerts holds their thresholds by promtool, tests/lab/nightly and tests/docker what is written.
    """
    by_the_host = {alert.title for alert in rules.alerts(settings.alerts) if alert.dashboard == RESOURCES_UID}
    by_the_host |= {alert.title for alert in rules.alerts(settings.alerts) if alert.needs_nightly}
    by_the_host |= {"Firewall rules lost"}
    titles = {alert.title for alert in rules.alerts(settings.alerts)} - by_the_host
    assert titles == {title for titles in ALL_TITLES.values() for title in titles}
    assert set(taken) == set(TITLES)


@pytest.mark.parametrize("title", TITLES)
def test_it_fires_within_its_time_and_not_before_and_is_over_within_its_time(taken: alerts.Taken, title: str) -> None:
    found = taken[title]
    assert found["earliest_s"] <= found["fired_s"] <= found["fired_within_s"]
    assert 0 < found["resolved_s"] <= found["resolved_within_s"]


def last(title: str) -> dict[str, Any]:
    return next(one for one in reversed(discord.messages(Place())) if one["embeds"][0]["title"] == title)


def test_the_message_names_the_backend_the_first_check_and_its_heading_in_the_page_of_alerts(
    taken: alerts.Taken,
) -> None:
    said = last("FIRING: Backend unhealthy")["content"]
    assert said.startswith("Backend sqlite is unhealthy: its tools fail, the others serve.\nFirst check: make verify")
    assert "docs/alerts.md#backend-unhealthy" in said and "/d/sentinel-gateway?viewPanel=4" in said
    assert last("RESOLVED: Backend unhealthy")["content"].startswith("Resolved: Backend sqlite is unhealthy")


def test_no_alert_was_sent_twice(taken: alerts.Taken) -> None:
    """Of the last round of faults: as many messages that something fires as that it is over."""
    titles = [one["embeds"][0]["title"] for one in discord.messages(Place())[-2 * len(TITLES) :]]
    assert sorted(titles) == sorted(f"{status}: {title}" for title in TITLES for status in ("FIRING", "RESOLVED"))
