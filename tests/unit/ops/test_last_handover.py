"""The last handover's figures come from the stack's output, or from its host by a verb, never from a file here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pulumi import automation

from console.errors import UserError
from console.result import Result
from ops.engine import verification
from settings import Settings, load
from settings.model import SECRET_KEYS
from tests.unit.settings.cases import configuration

VERIFIED = Result({"ok": True}, "ok")
LAST = {"at": "2026-11-27T01:02:03.456Z", "from": "gateway", "to": "forge", "downtime_ms": 142}
SETTINGS = load(configuration(), SECRET_KEYS)
CHECK = cast(verification.Check, SimpleNamespace(result=lambda request: VERIFIED))  # type: ignore[reportUnknownLambdaType]
NOBODY = cast(automation.Stack, None)


@pytest.fixture
def answer_of_host(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The host's answer; an error where there is none."""
    answer: dict[str, Any] = {"active": "contextforge", "since": LAST["at"], "last": LAST}

    def run(stack: str, settings: Settings, verb: str, word: str, document: Mapping[str, Any]) -> dict[str, Any]:
        assert (verb, word) == ("handover", "status")
        if not answer:
            raise UserError("the host does not answer")
        return answer

    def resources_of(opened: automation.Stack, stack: str) -> list[Any]:
        return []

    monkeypatch.setattr(verification.host, "run", run)
    monkeypatch.setattr(verification.state, "resources_of", resources_of)
    return answer


def handover(active: str, **outputs: Any) -> Mapping[str, Any]:
    outputs = {"active": active, **outputs}
    return verification.after_run(NOBODY, "prod", SETTINGS, outputs, CHECK, began=datetime.now(UTC)).handover


def test_a_port_that_was_given_back_is_reported_by_the_host(answer_of_host: dict[str, Any]) -> None:
    assert handover("contextforge") == LAST


def test_the_stacks_own_output_stands_before_it(answer_of_host: dict[str, Any]) -> None:
    assert handover("sentinel", handover={"downtime_ms": 7}) == {"downtime_ms": 7}


@pytest.mark.parametrize("change", [{"active": "sentinel"}, {"since": ""}])
def test_a_handover_to_somebody_else_is_not_reported(answer_of_host: dict[str, Any], change: dict[str, Any]) -> None:
    answer_of_host.update(change)
    assert handover("contextforge") == {}


def test_a_host_that_does_not_answer_ends_no_command(answer_of_host: dict[str, Any]) -> None:
    answer_of_host.clear()
    assert handover("contextforge") == {}
