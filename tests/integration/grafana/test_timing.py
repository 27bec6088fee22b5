"""The times at which the double's rules change state and Discord gets messages, on the test's own clock.

What is held to is Grafana's documentation ("State and health of alerts", "Group alert notifications"), with the
product's own files as the configuration.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dashboards.alerting.discord import REPEAT_HOURS
from lab.doubles.discord import sink as limits
from lab.doubles.grafana import evaluation
from lab.doubles.grafana.evaluation import Evaluator, QueryError, Series
from lab.doubles.grafana.notifying import Notifier
from lab.doubles.grafana.provisioning import read
from tests.integration.grafana.conftest import Sink, provisioned_files

EVERY, HOLD, WAIT, NEWS = 10, 30, 20, 60
ALERTS = {
    "evaluate_seconds": EVERY,
    "backend_minutes": HOLD / 60,
    "gateway_minutes": HOLD / 60,
    "wait_seconds": WAIT,
    "news_seconds": NEWS,
}
QUIET = {
    "Gateway down": 1.0,
    "Rollback not possible": 1.0,
    "Token ends soon": 90.0,
    "Token ends": 90.0,
    "Disk nearly full": 1.0,
}
"""The values of the other rules' queries while nothing is wrong; 0 for those not listed."""


class Clock:
    """The double on a clock that only the test moves; `series` is what Prometheus answers to the rule in question."""

    def __init__(self, folder: Path, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
        provisioned = read(provisioned_files(folder, sink.webhook, **ALERTS))
        self.evaluator = Evaluator(provisioned)
        self.notifier = Notifier(provisioned, self.evaluator, "http://127.0.0.1:3100/")
        self.sink = sink
        self.now = 1_000_000.0
        self.answers: dict[str, Callable[[], Series]] = {}
        queries = {rule.rule.data[0].model["expr"]: rule.rule.title for rule in self.evaluator.watched}

        def query(source: Any, expression: str) -> Series:
            title = queries[expression]
            return self.answers[title]() if title in self.answers else {(): QUIET.get(title, 0.0)}

        monkeypatch.setattr(evaluation, "_query", query)

    def backends(self, **values: float) -> None:
        self.answers["Backend unhealthy"] = lambda: {(("backend", name),): value for name, value in values.items()}

    def after(self, seconds: float) -> list[str]:
        """Second by second; the titles of what was posted on the way."""
        before = len(self.sink.messages())
        for _ in range(int(seconds)):
            self.now += 1
            self.evaluator.evaluate_due(self.now)
            self.notifier.notify_due(self.now)
        return [one["embeds"][0]["title"] for one in self.sink.messages()[before:]]

    def state(self, title: str = "Backend unhealthy") -> str:
        return next(one.state() for one in self.evaluator.watched if one.rule.title == title)


@pytest.fixture
def clock(tmp_path: Path, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr(limits, "RATE_SECONDS", 0.0)
    running = Clock(tmp_path, sink, monkeypatch)
    running.backends(sqlite=1)
    # Up to an evaluation, so that the next one is a whole interval away.
    assert running.after(1) == []
    return running


FIRING, RESOLVED = "FIRING: Backend unhealthy", "RESOLVED: Backend unhealthy"


def test_it_is_pending_until_the_condition_has_held_and_sent_after_the_policys_wait(clock: Clock) -> None:
    clock.backends(sqlite=0)
    assert clock.after(EVERY - 1) == [] and clock.state() == "inactive"
    assert clock.after(1) == [] and clock.state() == "pending"
    assert clock.after(HOLD - 1) == [] and clock.state() == "pending"
    assert clock.after(1) == [] and clock.state() == "firing"
    assert clock.after(WAIT - 1) == []
    assert clock.after(1) == [FIRING]


def test_an_alert_that_resolves_while_pending_sends_no_message(clock: Clock) -> None:
    clock.backends(sqlite=0)
    clock.after(EVERY + HOLD - 1)
    clock.backends(sqlite=1)
    assert clock.after(10 * NEWS) == [] and clock.state() == "inactive"


def fired(clock: Clock) -> None:
    clock.backends(sqlite=0, n8n=1)
    assert clock.after(EVERY + HOLD + WAIT) == [FIRING]


def test_the_resolution_is_sent_once_and_no_sooner_than_the_policys_interval(clock: Clock) -> None:
    fired(clock)
    clock.backends(sqlite=1, n8n=1)
    assert clock.after(NEWS - 1) == [] and clock.state() == "inactive"
    assert clock.after(1) == [RESOLVED]
    assert clock.after(10 * NEWS) == []


def test_a_second_backend_is_sent_in_one_message_of_both(clock: Clock) -> None:
    fired(clock)
    clock.backends(sqlite=0, n8n=0)
    assert clock.after(NEWS) == [FIRING]
    content = clock.sink.messages()[-1]["content"]
    assert "Backend sqlite is unhealthy" in content and "Backend n8n is unhealthy" in content
    clock.backends(sqlite=1, n8n=0)
    assert clock.after(NEWS) == [FIRING]
    assert "Resolved: Backend sqlite is unhealthy" in clock.sink.messages()[-1]["content"]


def test_a_firing_alert_is_sent_again_after_the_repeat_interval_and_not_before(clock: Clock) -> None:
    fired(clock)
    assert clock.after(REPEAT_HOURS * 3600 - 1) == []
    assert clock.after(NEWS + 1) == [FIRING]


def test_a_series_that_is_gone_resolves_at_the_second_evaluation_without_it(clock: Clock) -> None:
    fired(clock)
    clock.backends(n8n=1)
    assert clock.after(EVERY) == [] and clock.state() == "firing"
    assert clock.after(EVERY) == [] and clock.state() == "inactive"


def broken() -> Series:
    raise QueryError("failed to execute query A: connection refused")


def test_a_prometheus_that_is_down_is_reported_by_one_rule_and_resolves_no_other_alert(clock: Clock) -> None:
    fired(clock)
    for one in clock.evaluator.watched:
        clock.answers[one.rule.title] = broken
    assert clock.after(EVERY + HOLD + WAIT) == ["FIRING: Gateway down"]
    assert clock.state() == "firing"
    assert {one.health for one in clock.evaluator.watched} == {"error"}


def test_no_data_at_all_is_the_gateways_alert_alone(clock: Clock) -> None:
    for one in clock.evaluator.watched:
        clock.answers[one.rule.title] = dict
    assert clock.after(EVERY + HOLD + WAIT) == ["FIRING: Gateway down"]
    assert {one.health for one in clock.evaluator.watched} == {"nodata"}


def test_a_message_that_discord_rate_limits_is_sent_after_its_retry_time(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RATE_SECONDS", 3600.0)
    clock.sink.discord.rate = 1
    clock.sink.discord.take({"content": "somebody else's"})
    clock.backends(sqlite=0)
    assert clock.after(EVERY + HOLD + WAIT) == []
    monkeypatch.setattr(limits, "RATE_SECONDS", 0.0)
    assert clock.after(3600 - 60) == []
    assert clock.after(60) == [FIRING]
