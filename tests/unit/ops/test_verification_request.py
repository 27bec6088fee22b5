"""The request with which `make up` and `make verify` check the port: whole, from the settings and the stack's name."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest

from ops.engine import sandbox, verification
from settings import load
from settings.model import SECRET_KEYS
from tests.unit.settings.cases import configuration


def test_it_is_whole_and_names_the_stacks_rollback(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, Any]] = []

    def run(command: Sequence[str], **given: Any) -> subprocess.CompletedProcess[str]:
        sent.append(json.loads(given["input"]))
        return subprocess.CompletedProcess(command, 0, json.dumps({"ok": False}), "")

    def on_host(stack: str, command: Sequence[str]) -> Sequence[str]:
        return command

    def report_text(document: dict[str, Any]) -> str:
        return ""

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(sandbox, "on_host", on_host)
    monkeypatch.setattr(verification, "report_text", report_text)
    verification.verify_backends("prod", load(configuration(), SECRET_KEYS, stack="prod"))
    assert sent[0]["rollback"] == "make rollback STACK=prod" and sent[0]["every"] is True
