"""Sentences that a command ends with instead of a traceback, and what is refused before anything changes."""

from __future__ import annotations

import errno
import json
import socket
import sys
from typing import Any

import pytest

from console.errors import UserError
from ops import __main__ as commands
from ops.commands import rollback, status
from ops.commands.rollback import Choice, images_of
from ops.engine import host
from ops.engine.locks import Lock
from settings import Settings, load
from settings.model import SECRET_KEYS
from tests.unit.ops.test_recovery import running_pulumi
from tests.unit.settings.cases import configuration

SENTENCE = "hostctl sentinel start: gateway-1 ended with exit code 1 (docs/runbook.md#hostctl-sentinel-start)"


def settings(**changes: Any) -> Settings:
    return load(configuration(**changes), SECRET_KEYS)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (f"Warning: a line of ssh\n{SENTENCE}\n  its log\n  says why\n", f"{SENTENCE}\n  its log\n  says why"),
        (f"{SENTENCE}\n", SENTENCE),
        ("kex_exchange\nssh: connect to host vps port 22: Connection refused\n",
         "ssh: connect to host vps port 22: Connection refused"),
        ("", "exit code 255 and no message"),
    ],
)  # fmt: skip
def test_what_the_host_refuses_is_its_sentence_with_the_log_that_follows_it(said: str, sentence: str) -> None:
    assert host.refusal(said, 255) == sentence


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/srv/.state"), "Permission denied at /srv/.state: fix"),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "No space left on device: fix that, then run `make status`",
        ),
    ],
)
def test_a_full_disk_or_a_file_of_another_user_is_a_sentence(
    error: OSError, sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(commands, "function_of", lambda command: fails)  # type: ignore[reportUnknownLambdaType]
    monkeypatch.setattr(sys, "argv", ["ops", "status", "--stack", "prod", "--json"])
    assert commands.main() == 1
    out, err = capsys.readouterr()
    assert err.startswith(sentence)
    assert json.loads(out) == {"ok": False, "error": err.rstrip("\n")}


def test_a_rollback_that_would_leave_the_port_to_nobody_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing_is_gone(*_: object) -> dict[str, Any]:
        return {}

    monkeypatch.setattr(host, "run", nothing_is_gone)
    plain = settings(active="contextforge", predecessor__kind="absent")
    choice = Choice("ContextForge, with today's configuration", {})
    with pytest.raises(UserError, match=r"^Nothing was changed: .* would leave port 9200 to nobody"):
        rollback._refuse_what_is_gone("prod", [], plain, choice)  # type: ignore[reportPrivateUsage]


def test_a_chosen_update_needs_every_image_that_it_ran_and_the_rollback_only_what_serves() -> None:
    values = {"sentinel": {"image": "s:1"}}
    chosen = settings()
    serving = ["s:1", chosen.postgres.image]
    watching = [chosen.prometheus.image, chosen.grafana.image]
    assert images_of(Choice("today", values), chosen) == serving
    assert images_of(Choice("update 3", values, 3), chosen) == serving + watching
    plain = settings(prometheus__enabled=False, grafana__enabled=False)
    assert images_of(Choice("update 3", values, 3), plain) == serving


def test_a_lock_of_this_machine_is_waited_for_and_one_of_another_may_be_cancelled() -> None:
    with running_pulumi() as running:
        assert Lock("me", socket.gethostname(), running.pid, "").fix() == "wait until it has ended"
    assert "`pulumi cancel`" in Lock("me", "laptop", 41, "2026-11-24").fix()


def test_a_handover_at_work_is_not_called_cut_off() -> None:
    seen: dict[str, Any] = {
        "active": "sentinel", "holder": {"name": "gateway-1", "id": "1"},
        "unfinished": {"verb": "cutover", "at": "10:00", "point": "cutover.release.disconnect"},
        "busy": {"reason": "handover cutover", "pid": 41, "since": "10:00"},
    }  # fmt: skip
    outputs = {"active": "sentinel", "sentinel": "gateway-1"}
    (one,) = status._of_the_port(seen, outputs)  # type: ignore[reportPrivateUsage]
    assert one == "handover cutover (process 41) is at work since 10:00: wait until it has ended"
    (one,) = status._of_the_port({**seen, "busy": None}, outputs)  # type: ignore[reportPrivateUsage]
    assert "was interrupted at cutover.release.disconnect" in one
