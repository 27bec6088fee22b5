"""One PostgreSQL for the group's tests."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.integration.bridge.postgres import Database, running_postgres


@pytest.fixture(scope="session")
def database() -> Generator[Database]:
    with running_postgres() as started:
        yield started
