"""The output of psql, which Docker may lose on a busy machine."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from hostctl.core.errors import Refusal
from hostctl.docker.engine import Engine
from hostctl.postgres.psql import WHOLE, Database


class Answering(Engine):
    """Gives one answer to each command in a container."""

    def __init__(self, status: int, output: str) -> None:
        super().__init__("/nowhere")
        self.answer = (status, output)
        self.commands: list[Sequence[str]] = []

    def inside(self, container: str, command: Sequence[str], seconds: float) -> tuple[int, str]:
        self.commands.append(command)
        return self.answer


def output_of(engine: Engine) -> str:
    return Database(engine, "5e", "sentinel", "sentinel", "postgres:16", 999).run(["select 1;"], "counting its rows")


def test_psql_itself_says_where_its_output_ends() -> None:
    engine = Answering(0, f"1\n{WHOLE}\nNOTICE: from the other stream\n")
    assert output_of(engine) == "1\nNOTICE: from the other stream\n"
    assert engine.commands[0][-2:] == ["select 1;", rf"\echo {WHOLE}"]


@pytest.mark.parametrize("output", ["", "1\n", f"1\n{WHOLE}"])
def test_an_output_that_broke_off_is_no_answer(output: str) -> None:
    with pytest.raises(Refusal, match=r"^Docker lost the answer of Postgres while counting its rows, .*: run again$"):
        output_of(Answering(0, output))


@pytest.mark.parametrize(
    ("output", "reason"), [("psql: error: no such table\n", "psql: error: no such table"), ("", "exit code 3")]
)
def test_a_refusal_has_psqls_complaint(output: str, reason: str) -> None:
    with pytest.raises(Refusal, match=rf"^Postgres refused while counting its rows \({reason}\)$"):
        output_of(Answering(3, output))
