"""A failed run says who has the port, whether Claude can use it, and the command that continues, above its cause."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from console.errors import UserError
from console.progress import Progress
from ops.engine import after_failure, host
from ops.engine.run import EngineFailed, LockHeld
from settings import Settings, load
from settings.model import SECRET_KEYS
from tests.unit.settings.cases import configuration

NO_ENTRY = {"usable": False, "detail": "Claude's file has no entry sentinel-gateway"}
ACCEPTED = {"usable": True, "detail": "the entry contextforge is accepted at http://127.0.0.1:9200/mcp"}


@pytest.fixture
def settings() -> Settings:
    return load(configuration(), SECRET_KEYS, stack="prod")


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> dict[str, Any]:
    """Of the host: who serves, and of Claude's entries by name."""
    found: dict[str, Any] = {"active": "sentinel", "holder": {"name": "sentinel-gateway-1"}}

    def status(*_: Any) -> dict[str, Any]:
        if "refused" in found:
            raise UserError(found["refused"])
        return found

    def entry(stack: str, settings: Settings, verb: str, action: str, place: dict[str, str]) -> dict[str, Any]:
        return found["entries"][place["entry"]]

    monkeypatch.setattr(host, "handover_status", status)
    monkeypatch.setattr(host, "run", entry)
    found["entries"] = {settings.client.entry: NO_ENTRY, settings.predecessor.entry: ACCEPTED}
    return found


def test_the_entry_that_works_is_the_one_that_is_named(settings: Settings, answers: dict[str, Any]) -> None:
    assert after_failure.rows("prod", settings, ()) == [
        "serving    sentinel (sentinel-gateway-1) has port 9200",
        f"claude     can use it: {ACCEPTED['detail']}",
        "next       fix the cause below, then run `make up STACK=prod`",
    ]


def test_where_no_entry_works_the_serving_gateways_own_says_why(settings: Settings, answers: dict[str, Any]) -> None:
    answers["entries"][settings.predecessor.entry] = {"usable": False, "detail": "401"}
    assert f"claude     cannot use it: {NO_ENTRY['detail']}" in after_failure.rows("prod", settings, ())
    answers |= {"active": "nobody", "holder": None}
    assert "serving    nobody has port 9200" in after_failure.rows("prod", settings, ())


def test_a_host_that_does_not_answer_is_no_second_failure(settings: Settings, answers: dict[str, Any]) -> None:
    answers["refused"] = "ssh: connection refused"
    serving, claude, _ = after_failure.rows("prod", settings, ())
    assert serving == "serving    not checked: ssh: connection refused" and claude == "claude     not checked"


@pytest.mark.parametrize("failure", [EngineFailed("No space."), UserError("No answer.")])
def test_the_rows_stand_above_the_cause(
    settings: Settings, answers: dict[str, Any], failure: UserError, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(type(failure)) as failed, after_failure.reported("prod", settings, (), Progress(tmp_path)):
        raise failure
    assert failed.value is failure
    shown = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in shown] == ["serving", "claude", "next"]


def test_a_run_that_never_began_is_not_reported_on(
    settings: Settings, answers: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(LockHeld), after_failure.reported("prod", settings, (), Progress(tmp_path)):
        raise LockHeld("another run")
    assert capsys.readouterr().err == ""
