"""`make reboot-check` by what the host says: a marker, a check at work, a result, none although the host booted."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from console.errors import UserError
from console.progress import Progress
from console.result import Result
from ops.commands import reboot_check
from settings import load
from settings.model import SECRET_KEYS
from tests.unit.settings.cases import SMALLEST

SETTINGS = load(SMALLEST, SECRET_KEYS)
NOTHING = {"armed": True, "marked_at": "2026-11-27T01:00:00.000Z", "running": False, "overdue": False, "result": None}
GOOD = {
    "ok": True, "at": "2026-11-27T01:02:00.000Z", "seconds": 31.5, "seconds_after_boot": 44.0, "active": "sentinel",
    "parts": [{"part": "port", "ok": True, "detail": "sentinel-gateway-1 alone has 9200"}],
    "message": "sent by Grafana",
}  # fmt: skip
BAD = {**GOOD, "ok": False, "parts": [{"part": "port", "ok": False, "detail": "nobody has it"}]}


def checked(tmp_path: Path, *shown: dict[str, Any], again: bool = False) -> tuple[Result, list[str]]:
    """The result, and the actions that the host was queried with."""
    left, actions = list(shown), list[str]()

    def query(action: str) -> dict[str, Any]:
        actions.append(action)
        if action == "mark":
            return {"marked_at": "2026-11-27T01:03:00.000Z", "watched": ["a", "b"]}
        return left.pop(0) if len(left) > 1 else left[0]

    progress = Progress(tmp_path, out=io.StringIO())
    return reboot_check.of_host("prod", SETTINGS, query, progress, again=again), actions


def test_before_a_boot_the_marker_is_written_and_that_is_no_failure(tmp_path: Path) -> None:
    found, actions = checked(tmp_path, NOTHING)
    assert (found.ok, found.document["state"], actions) == (True, "marked", ["show", "mark"])
    assert "2 containers must come back" in found.text and "make reboot-check STACK=prod" in found.text


@pytest.mark.parametrize("result", [GOOD, BAD], ids=["good", "bad"])
def test_after_the_boot_the_result_is_printed_and_says_by_its_exit_status_what_it_is(
    tmp_path: Path, result: dict[str, Any]
) -> None:
    found, actions = checked(tmp_path, {**NOTHING, "result": result})
    assert (found.ok, found.document["ok"], found.document["state"]) == (result["ok"], result["ok"], "checked")
    assert actions == ["show"]
    assert result["parts"][0]["detail"] in found.text and "sent by Grafana" in found.text


def test_again_writes_a_new_marker_over_a_result(tmp_path: Path) -> None:
    found, actions = checked(tmp_path, {**NOTHING, "result": GOOD}, again=True)
    assert (found.document["state"], actions) == ("marked", ["show", "mark"])


def test_a_check_at_work_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reboot_check, "POLL_SECONDS", 0.0)
    found, actions = checked(tmp_path, {**NOTHING, "running": True}, {**NOTHING, "result": GOOD})
    assert (found.ok, actions) == (True, ["show", "show"])


@pytest.mark.parametrize(
    ("shown", "sentence"),
    [
        ({**NOTHING, "armed": False}, "has no check after a boot yet: `make up STACK=prod`"),
        ({**NOTHING, "overdue": True}, "has booted since 2026-11-27T01:00:00.000Z and checked nothing"),
    ],
)
def test_a_host_that_cannot_say_is_a_user_error(tmp_path: Path, shown: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        checked(tmp_path, shown)
