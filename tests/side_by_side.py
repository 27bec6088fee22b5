"""The workers of `make test`: one runs the lab's stories, one after the other, and the others run everything else.

A story changes the one stack of this clone, so that two at once would change it under each other. Everything else has a
box of its own, or none, and goes by file to the worker that is free.

Owns: this division. Deliberately does not: start workers (pytest-xdist does, `make test` says how many).
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # pyright: ignore[reportMissingTypeStubs]

STORIES = "stories"
NOT_STORIES = ("tests/lab/box/", "tests/lab/hardened/", "tests/lab/fleet/")
"""Tests with boxes of their own."""
LAST = ("rollback", "take_down", "security", "retire")
"""The stories at the end, in this order. The first ends staged, as the second begins; the others end with nothing
deployed, and each story after one of them begins with a whole deployment.
"""
BESIDE = 5
"""Niceness of the tests beside the stories: a story measures downtimes on the same two cores."""


def is_story(test: str) -> bool:
    """True for a test that acts on the stack of this clone."""
    return test.startswith("tests/lab/") and not test.startswith(NOT_STORIES)


def unit_of(test: str) -> str:
    """The tests that run one after the other, in one worker."""
    return STORIES if is_story(test) else test.partition("::")[0]


def turn_of(test: str) -> int:
    """The place of a story among the others; those with the same place keep their order."""
    folder = test.split("/")[2]
    return LAST.index(folder) + 1 if folder in LAST else 0


class ByUnit(LoadScopeScheduling):
    """Units in the order in which they were collected, each to the worker that is free."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


class SideBySide:
    """Hooks of pytest and of pytest-xdist."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """The stories first, since they take longest; then what needs real parts, the fast tests last.
        Of a tier long files come first, so that no worker ends with one alone.
        """
        order = {"lab": 1, "docker": 2, "engine": 3, "integration": 4}
        tests = Counter(unit_of(item.nodeid) for item in items)

        def place(item: pytest.Item) -> tuple[int, int]:
            unit = unit_of(item.nodeid)
            if unit == STORIES:
                return 0, turn_of(item.nodeid)
            return order.get(unit.split("/")[1], 5), -tests[unit]

        items.sort(key=place)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> LoadScopeScheduling:
        config.option.loadscopereorder = False
        return ByUnit(config, log)


class Beside:
    """In a worker: less of the processor for the tests beside the stories, and for the boxes that they start."""

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        wanted = 0 if is_story(item.nodeid) else BESIDE
        if os.geteuid() == 0 and os.getpriority(os.PRIO_PROCESS, 0) != wanted:
            os.setpriority(os.PRIO_PROCESS, 0, wanted)


def register(config: pytest.Config) -> None:
    config.pluginmanager.register(SideBySide())
    if os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1") != "1":
        config.pluginmanager.register(Beside())
