"""The proof of the rollback in `make status` and `make verify`: a line, a member, and the exit status."""

from __future__ import annotations

from typing import Any

import pytest

from components.base.handover_members import handover_members
from console.errors import UserError
from console.progress import Progress
from console.result import Result
from ops.commands import verify
from ops.engine import host, rollback_proof, state
from settings import load
from settings.model import SECRET_KEYS
from tests.unit.settings.cases import configuration

AT = "2026-11-29T03:17:05.678Z"
SETTINGS = load(configuration(), SECRET_KEYS, stack="prod")


@pytest.fixture
def verdict(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    def run(stack: str, settings: object, verb: str, action: str, document: dict[str, Any]) -> dict[str, Any]:
        assert (verb, action) == ("rollback", "prove") and document == handover_members(SETTINGS)
        return {"result": request.param, "reason": "x is gone", "at": AT, "gates": []}

    monkeypatch.setattr(host, "run", run)


@pytest.mark.parametrize(
    ("verdict", "ok", "sentence"),
    [
        ("possible", True, "possible, proven 03:17 UTC"),
        ("not-possible", False, "not possible: x is gone"),
        ("could-not-check", None, "not checked: x is gone"),
    ],
    indirect=["verdict"],
)
def test_only_a_failing_gate_fails_the_verification(
    verdict: None, ok: bool | None, sentence: str, monkeypatch: pytest.MonkeyPatch, progress: Progress
) -> None:
    proof = rollback_proof.prove("prod", SETTINGS)
    assert proof["ok"] is ok and rollback_proof.sentence(proof) == sentence
    monkeypatch.setattr(verify, "open_stack", lambda *_, **__: None)  # type: ignore[reportUnknownLambdaType]
    monkeypatch.setattr(state, "settings_of", lambda *_: SETTINGS)  # type: ignore[reportUnknownLambdaType]
    monkeypatch.setattr(state, "deployment_of", lambda *_: {"resources": [{}]})  # type: ignore[reportUnknownLambdaType]
    good = Result({"ok": True, "active": "sentinel"}, "sentinel: ok")
    monkeypatch.setattr(verify, "verify_backends", lambda *_, **__: good)  # type: ignore[reportUnknownLambdaType]
    verified = verify.verify("prod", progress)
    assert verified.document == {"ok": ok is not False, "active": "sentinel", "rollback": proof}
    assert verified.ok is (ok is not False) and verified.text == f"sentinel: ok\nrollback  {sentence}"


def test_before_the_first_run_nothing_is_deployed_and_the_host_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, progress: Progress
) -> None:
    monkeypatch.setattr(verify, "open_stack", lambda *_, **__: None)  # type: ignore[reportUnknownLambdaType]
    monkeypatch.setattr(state, "deployment_of", lambda *_: {})  # type: ignore[reportUnknownLambdaType]
    with pytest.raises(UserError, match="Stack prod is not deployed; `make up STACK=prod` deploys it"):
        verify.verify("prod", progress)


def test_without_a_predecessor_the_host_is_left_alone() -> None:
    absent = load(configuration(**{"predecessor.kind": "absent"}), SECRET_KEYS, stack="prod")
    assert (
        rollback_proof.sentence(rollback_proof.prove("prod", absent)) == "not checked: no gateway ran before Sentinel"
    )
