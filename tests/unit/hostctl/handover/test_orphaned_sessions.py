"""Sessions that a former process left in its database: a failure is a line, never a failed handover."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from hostctl.docker.engine import Engine
from hostctl.handover import orphaned_sessions
from hostctl.postgres.psql import END, WHOLE


class Answering(Engine):
    """Gives one answer to each query."""

    def __init__(self, output: str) -> None:
        super().__init__("/nowhere")
        self.output = output
        self.commands: list[Sequence[str]] = []

    def get(self, path: str) -> Any:
        return {"State": {"StartedAt": "2026-11-30T00:00:00Z"}}

    def inside(self, container: str, command: Sequence[str], seconds: float) -> tuple[int, str]:
        self.commands.append(command)
        return 0, self.output


@pytest.fixture(autouse=True)
def every_sibling_is_postgres(monkeypatch: pytest.MonkeyPatch) -> None:
    def yes(_engine: Engine, _container: str) -> bool:
        return True

    monkeypatch.setattr(orphaned_sessions, "is_postgres", yes)


def test_the_query_says_where_its_output_ends() -> None:
    engine = Answering(f"0 0\n{WHOLE}\n")
    assert orphaned_sessions.end(engine, "gateway", ["database"]) == 0
    assert engine.commands[0][-2].endswith(f";\n{END}")


@pytest.mark.parametrize("output", ["", "1 0\n"])
def test_an_output_that_docker_lost_is_reported_only(output: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert orphaned_sessions.end(Answering(output), "gateway", ["database"]) == 0
    assert "Docker lost the answer of Postgres while ending them" in capsys.readouterr().err
