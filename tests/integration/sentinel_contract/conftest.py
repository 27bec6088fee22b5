"""One PostgreSQL, the gateway under test, and the scenarios, which run side by side: most of their time they wait."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.integration.bridge.postgres import Database, running_postgres
from tests.integration.sentinel_contract.place import Place, gateway_under_test
from tests.integration.sentinel_contract.recording import FACTS, Observed, Ran
from tests.integration.sentinel_contract.scenarios import load
from tests.starvation import Starvation

AT_ONCE = 6
"""Scenarios at the same time."""


@pytest.fixture(scope="session")
def database() -> Generator[Database]:
    with running_postgres() as started:
        yield started


@pytest.fixture(scope="session")
def ran(request: pytest.FixtureRequest, database: Database, tmp_path_factory: pytest.TempPathFactory) -> Generator[Ran]:
    """A scenario's observation. The chosen ones begin together, the longest first: one worker runs all of a file
    (tests/side_by_side.py).
    """
    folder = tmp_path_factory.mktemp("contract")
    executable = gateway_under_test(folder)
    lock = threading.Lock()

    def new_url() -> str:
        with lock:
            return database.url()

    def run(name: str) -> Observed:
        starvation = Starvation()
        with Place(folder / name, executable, database, new_url) as place:
            document = load()[name].run(place)
        return Observed(document, starvation.seconds)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        chosen = sorted(_chosen(request.session.items), key=lambda name: -load()[name].seconds)
        begun: dict[str, Future[Observed]] = {name: pool.submit(run, name) for name in chosen}
        yield lambda name: begun[name].result()
        for future in begun.values():
            future.cancel()


def _chosen(items: list[pytest.Item]) -> set[str]:
    specifications: list[Any] = [getattr(item, "callspec", None) for item in items]
    return {each.params.get("scenario") for each in specifications if each} & load().keys()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The number of recorded facts that were compared, and those that were not, with the reason."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    facts = [value for report in reports for name, value in report.user_properties if name == FACTS]
    if not facts:
        return
    compared, different = sum(each[0] for each in facts), sum(each[1] for each in facts)
    skipped = [line for each in facts for line in each[2]]
    under_test = Path(os.environ.get("GATEWAY_UNDER_TEST", "the lab's double")).name
    terminalreporter.write_line(
        f"{under_test}: {compared} recorded facts compared in {len(facts)} scenarios, "
        f"{different} differ, {len(skipped)} not replayed"
    )
