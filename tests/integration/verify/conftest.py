"""One PostgreSQL for the group's tests, and the world of its programs: a real bridge with an HTTP backend."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.integration.bridge.parts import Bridge, adapted, free_port, http_server, running_bridge
from tests.integration.bridge.postgres import Database, running_postgres
from tests.integration.verify.world import World
from verify import gates


@pytest.fixture(scope="session")
def database() -> Generator[Database]:
    with running_postgres() as started:
        yield started


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory, database: Database) -> Generator[Bridge]:
    port = free_port()
    alpha, own = adapted("alpha", port)
    folder = tmp_path_factory.mktemp("bridge")
    with http_server("alpha", port), running_bridge(folder, [alpha], database.url(), **own) as started:
        yield started


@pytest.fixture
def world(tmp_path: Path, bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(gates, "PAUSE_SECONDS", 0.1)
    return World(tmp_path, bridge.url)
