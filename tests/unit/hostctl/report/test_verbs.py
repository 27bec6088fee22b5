"""`hostctl report inspect`: what the host keeps, and nothing of a request; backups only by their own files."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from hostctl import report
from hostctl.handover.journal import Journal
from hostctl.host import invoker

GOALS = {"from": {"kind": "predecessor", "name": "forge"}, "to": {"kind": "sentinel", "name": "gateway"}}
OPENING: dict[str, Any] = {"verb": "cutover", "container": "c", **GOALS, "request": {"folder": "/private/place"}}
RESULT: dict[str, Any] = {
    "active": "sentinel", "from": "forge", "to": "gateway", "at": "2026-11-27T01:02:03.456Z", "downtime_ms": 142,
    "parts": {"release_ms": 90}, "keep": "standby", "by": {"user": "operator", "from": ""},
    "attempts": [[-20, -18, "answered"]], "predecessor": {"kind": "contextforge"}, "container": "0a1b",
}  # fmt: skip


class Docker:
    """An engine with one container, whose image a registry knows."""

    def __init__(self, socket: str) -> None:
        self.answers: dict[str, Any] = {
            "/version": {"Version": "29.7.2"},
            "/containers/gateway/json": {
                "Id": "0a1b", "Name": "/gateway", "Image": "sha256:1", "State": {"Running": True, "Paused": True},
                "Config": {"Image": "sentinel:2"}, "HostConfig": {}, "NetworkSettings": {},
            },
            "/images/sha256%3A1/json": {"RepoDigests": ["registry/sentinel@sha256:2"], "Created": "2026-11-01"},
        }  # fmt: skip

    def get(self, path: str) -> Any:
        return self.answers[path]

    def find(self, path: str) -> Any:
        return self.answers.get(path)


@pytest.fixture
def inspected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setattr(report, "Engine", Docker)

    def inspect(*names: str) -> dict[str, Any]:
        return report.inspect(report.InspectRequest(str(tmp_path), names, "/s"))

    return inspect


def test_a_host_without_anything_of_ours_keeps_nothing(inspected: Any) -> None:
    found = inspected("gone")
    assert (found["last"], found["handovers"], found["backup"], found["restore_drill"]) == ({}, [], None, None)
    assert found["containers"] == [{"name": "gone", "state": "absent"}]
    assert found["host"]["docker"] == "29.7.2" and found["host"]["name"]


def test_a_handover_is_reported_with_its_attempts_and_without_its_request(inspected: Any, tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "handover"))
    journal.finalize(journal.begin(OPENING), RESULT)
    found = inspected("gateway")
    assert found["last"]["attempts"] == RESULT["attempts"] and found["last"]["by"] == RESULT["by"]
    (one,) = found["handovers"]
    assert (one["verb"], one["from"], one["to"], one["downtime_ms"], one["outcome"]) == (
        "cutover", "forge", "gateway", 142, "done",
    )  # fmt: skip
    assert "/private/place" not in json.dumps(found) and "predecessor" not in found["last"]
    (container,) = found["containers"]
    assert (container["state"], container["digest"], container["image"]) == ("paused", "sha256:2", "sentinel:2")


def test_a_forced_handover_says_so(inspected: Any, tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "handover"))
    forced = {**OPENING, "request": {**OPENING["request"], "force": True}}
    journal.finalize(journal.begin(forced), RESULT)
    found = inspected()
    assert found["last"]["force"] is True and found["handovers"][0]["force"] is True


def test_a_handover_that_was_undone_has_no_figures(inspected: Any, tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "handover"))
    journal.close(journal.begin(OPENING), "undone")
    (one,) = inspected()["handovers"]
    assert one["outcome"] == "undone" and "downtime_ms" not in one


@pytest.mark.parametrize(("text", "kept"), [('{"ok": true}', {"ok": True}), ("[1]", None), ("{torn", None)])
def test_a_backups_file_is_read_as_it_is_and_a_torn_one_is_none(
    inspected: Any, tmp_path: Path, text: str, kept: dict[str, Any] | None
) -> None:
    (tmp_path / "nightly").mkdir()
    (tmp_path / "nightly" / "backup.json").write_text(text)
    assert inspected()["backup"] == kept


def test_the_caller_is_the_user_behind_sudo_and_where_ssh_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    assert invoker.identity() == {"user": pwd.getpwuid(os.getuid()).pw_name, "from": ""}
    monkeypatch.setenv("SUDO_USER", "operator")
    monkeypatch.setenv("SSH_CONNECTION", "203.0.113.1 50000 203.0.113.10 22")
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert invoker.identity() == {"user": "operator", "from": "203.0.113.1"}
