"""The request with which `make up` and `make verify` check the port: whole, from the settings and the stack's name."""

from __future__ import annotations

import pytest

from console.result import Result
from ops.engine import verification
from settings import load
from settings.model import SECRET_KEYS
from tests.unit.settings.cases import configuration
from verify.documents import VerificationRequest


def test_it_is_whole_and_names_the_stacks_rollback(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[VerificationRequest] = []

    class Check:
        def __init__(self, stack: str) -> None:
            self.stack = stack

        def __enter__(self) -> Check:
            return self

        def __exit__(self, *_: object) -> None:
            return

        def result(self, request: VerificationRequest) -> Result:
            sent.append(request)
            return Result({"ok": False}, "", ok=False)

    monkeypatch.setattr(verification, "Check", Check)
    verification.verify_backends("prod", load(configuration(), SECRET_KEYS, stack="prod"))
    assert sent[0].rollback == "make rollback STACK=prod" and sent[0].every is True
