"""The time of a session: at its end the slowest tests and fixtures, and the time per story.

Owns: measuring each fixture, noted beside its test as a property `fixture NAME` (junit shows it), and the two tables.
Deliberately does not: judge a time, or sum one up (lab/benchmarks/suite.py does, for the documentation too).
"""

from __future__ import annotations

import time
from collections.abc import Generator

import pytest
from _pytest.terminal import TerminalReporter

from lab.benchmarks.suite import PROPERTY, Case, slowest, stories

NOTED_FROM_SECONDS = 0.5
SHOWN_FROM_SECONDS = 60
"""A session that is shorter has no table: who runs one test reads its outcome."""


class FixtureTimes:
    """In the process that runs tests: the seconds of each slow fixture, without those that it uses."""

    def __init__(self) -> None:
        self._item: pytest.Item | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self._item = item

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        began = time.monotonic()
        try:
            return (yield)
        finally:
            took = time.monotonic() - began
            if took >= NOTED_FROM_SECONDS and self._item is not None:
                name = f"{PROPERTY}{fixturedef.argname} ({fixturedef.baseid or 'pytest'})"
                self._item.user_properties.append((name, round(took, 2)))


class Tables:
    """In the process that reports: every test's time, and the tables at the end."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._seconds: dict[str, float] = {}
        self._fixtures: dict[str, dict[str, float]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration
        noted = {name: float(str(value)) for name, value in report.user_properties if name.startswith(PROPERTY)}
        if noted:
            self._fixtures[report.nodeid] = noted

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        if time.monotonic() - self._began < SHOWN_FROM_SECONDS:
            return
        cases = [Case.of(test, seconds, self._fixtures.get(test, {})) for test, seconds in self._seconds.items()]
        terminalreporter.section("slowest tests and fixtures")
        for name, seconds in slowest(cases):
            terminalreporter.write_line(f"{seconds:7.1f} s  {name}")
        terminalreporter.section("time per story")
        for name, story in stories(cases).items():
            terminalreporter.write_line(f"{story['seconds']:7.1f} s  {story['tests']:5.0f} tests  {name}")


def register(config: pytest.Config) -> None:
    config.pluginmanager.register(FixtureTimes())
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Tables())
