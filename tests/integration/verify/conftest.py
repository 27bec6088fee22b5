"""One PostgreSQL for the group's tests, and the world of its programs: a real bridge."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.integration.bridge.parts import Bridge, running_bridge, stdio_backend
from tests.integration.bridge.postgres import Database, running_postgres
from tests.integration.verify.world import World


@pytest.fixture(scope="session")
def database() -> Generator[Database]:
    with running_postgres() as started:
        yield started


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory, database: Database) -> Generator[Bridge]:
    with running_bridge(tmp_path_factory.mktemp("bridge"), [stdio_backend("alpha")], database.url()) as started:
        yield started


@pytest.fixture
def world(tmp_path: Path, bridge: Bridge) -> World:
    return World(tmp_path, bridge.url)
