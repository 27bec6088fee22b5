"""The marker, the wait, the result and the message; the rows come one turn after the other."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hostctl import reboot_check
from hostctl.core import lock, requests
from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.docker.engine import Engine
from hostctl.reboot_check import docker_checks, host_checks, message
from hostctl.reboot_check.docker_checks import DockerState
from hostctl.reboot_check.request import NAME, RebootCheckRequest
from hostctl.reboot_check.row import Row
from hostctl.schedule.job import Scheduler

PARTS = ("containers", "networks", "port", "firewall", "timers", "monitoring")


@pytest.fixture
def request_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RebootCheckRequest:
    """Docker has no container."""

    def read(_: Engine) -> DockerState:
        return DockerState([], {})

    def is_up(_: Engine, seconds: float) -> None:
        pass

    (tmp_path / "cron.d").mkdir()
    monkeypatch.setattr(docker_checks, "read", read)
    monkeypatch.setattr(Engine, "wait_until_up", is_up)
    monkeypatch.setattr(reboot_check, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(reboot_check, "AGAIN_SECONDS", 0.0)
    return RebootCheckRequest(
        folder=str(tmp_path / "reboot"), program="/opt/hostctl.pyz", limit_seconds=5, active="sentinel",
        sentinel="sentinel-gateway-1", standby=True, predecessor="forge", internal="sentinel", edge="sentinel-edge",
        port=9200, health_port=9201, containers=("sentinel-postgres",), docker_socket="/nowhere.sock",
        scheduler=Scheduler("cron", str(tmp_path), str(tmp_path / "cron.d")),
    )  # fmt: skip


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The rows of each turn, the last for ever; a part that is not named is well."""

    def come(*given: dict[str, Row]) -> None:
        left = list(given)

        def rows(*_: Any) -> list[Row]:
            turn = left.pop(0) if len(left) > 1 else left[0]
            return [turn.get(part, Row(part, True)) for part in PARTS]

        def of_backends(request: RebootCheckRequest, good: set[str]) -> Row:
            return backends

        backends = next((turn["backends"] for turn in given if "backends" in turn), Row("backends", True))
        monkeypatch.setattr(reboot_check, "_rows", rows)
        monkeypatch.setattr(host_checks, "of_backends", of_backends)

    return come


def marker(request: RebootCheckRequest) -> RebootCheckRequest:
    """The request that the boot's job pipes in."""
    return requests.read(RebootCheckRequest, Document(json.loads(Path(request.request_file).read_text())))


def test_the_marker_is_for_root_alone_and_goes_with_everything_else(
    request_: RebootCheckRequest, tmp_path: Path
) -> None:
    armed = reboot_check.arm(request_)
    assert armed["watched"] == ["sentinel-gateway-1", "sentinel-postgres"]
    assert stat.S_IMODE(Path(request_.request_file).stat().st_mode) == 0o600
    assert (tmp_path / "cron.d" / NAME).exists()
    assert reboot_check.disarm(request_)["removed"] is True
    assert reboot_check.disarm(request_)["removed"] is False
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["cron.d"]


def test_what_is_late_is_waited_for_and_the_result_says_how_long_it_took(
    request_: RebootCheckRequest, turns: Callable[..., None]
) -> None:
    reboot_check.arm(request_)
    assert reboot_check.show(request_)["result"] is None
    turns({"port": Row("port", False, "nobody has it")}, {"containers": Row("containers", False, "late")}, {})
    result = reboot_check.check(marker(request_))
    assert (result["ok"], result["message"]) == (True, "not sent: no discord_webhook is set")
    assert [one["part"] for one in result["parts"]] == [*PARTS, "backends"]
    assert 0 <= result["seconds"] < request_.limit_seconds
    shown = reboot_check.show(request_)
    assert (shown["result"], shown["running"], shown["overdue"]) == (result, False, False)


@pytest.mark.parametrize("final", [True, False], ids=["final", "given-up"])
def test_what_does_not_come_is_named(request_: RebootCheckRequest, turns: Callable[..., None], final: bool) -> None:
    request_ = replace(request_, limit_seconds=60 if final else 0.1)
    reboot_check.arm(request_)
    turns({"firewall": Row("firewall", False, "the script has lost its block", final)})
    result = reboot_check.check(marker(request_))
    assert result["ok"] is False
    assert message.sentence(result).endswith("not well: firewall: the script has lost its block")


def test_with_the_wrong_owner_of_the_port_no_backend_is_called(
    request_: RebootCheckRequest, turns: Callable[..., None]
) -> None:
    reboot_check.arm(request_)
    turns({"port": Row("port", False, "forge has it", final=True)})
    result = reboot_check.check(marker(request_))
    assert result["parts"][-1]["detail"].startswith("not called: the wrong owner")


def test_a_new_marker_leaves_no_old_result_standing(request_: RebootCheckRequest, turns: Callable[..., None]) -> None:
    reboot_check.arm(request_)
    turns({})
    reboot_check.check(marker(request_))
    marked = reboot_check.mark(request_)
    shown = reboot_check.show(request_)
    assert (shown["marked_at"], shown["result"]) == (marked["marked_at"], None)


def test_a_boot_that_nothing_checked_is_overdue(request_: RebootCheckRequest) -> None:
    reboot_check.arm(replace(request_, limit_seconds=0))
    marked = requests.write(replace(marker(request_), boot_id="another boot"))
    Path(request_.request_file).write_text(json.dumps(marked))
    assert reboot_check.show(request_)["overdue"] is True


def test_a_check_at_work_is_seen_and_a_second_one_refused(request_: RebootCheckRequest) -> None:
    reboot_check.arm(request_)
    with lock.held(request_.folder, reboot_check.REASON):
        assert reboot_check.show(request_)["running"] is True
        with pytest.raises(Refusal, match="reboot-check check, since"):
            reboot_check.check(marker(request_))


def test_without_a_marker_nothing_is_checked_and_nothing_marked(request_: RebootCheckRequest) -> None:
    for verb in (reboot_check.check, reboot_check.mark):
        with pytest.raises(Refusal, match="run 'make up'"):
            verb(request_)
    assert reboot_check.show(request_) == {
        "armed": False,
        "marked_at": "",
        "running": False,
        "overdue": False,
        "result": None,
    }


@pytest.mark.parametrize(
    ("after_boot", "sentence"),
    [
        (41.5, "The host restarted: Sentinel has the port and all 1 parts are well, 41.5 s after the boot."),
        (None, "The host restarted: Sentinel has the port and all 1 parts are well, 7 s after the check began."),
    ],
)
def test_the_message_says_who_has_the_port_and_how_long_it_took(after_boot: float | None, sentence: str) -> None:
    row = {"part": "port", "ok": True, "detail": ""}
    found = {"seconds": 7.0, "seconds_after_boot": after_boot, "active": "sentinel", "parts": [row]}
    assert message.sentence(found) == sentence
