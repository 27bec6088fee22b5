"""The marker, the wait, the result and the message; the looks are worlds that come one after the other."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hostctl import reboot_check
from hostctl.core import lock
from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.reboot_check import checks
from hostctl.reboot_check.checks import Row, Seen
from hostctl.schedule import at_boot

PARTS = ("containers", "networks", "port", "firewall", "timers", "monitoring")


@pytest.fixture
def document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `arm` is given; Docker is a world without a container."""
    (tmp_path / "cron.d").mkdir()
    monkeypatch.setattr(checks, "seen", lambda engine: Seen([], {}))
    monkeypatch.setattr(reboot_check.Engine, "wait_until_up", lambda self, seconds: None)
    monkeypatch.setattr(reboot_check, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(reboot_check, "AGAIN_SECONDS", 0.0)
    return {
        "docker_socket": "/nowhere.sock", "folder": str(tmp_path / "reboot"), "program": "/opt/hostctl.pyz",
        "trigger": "cron", "cron_folder": str(tmp_path / "cron.d"), "unit_folder": str(tmp_path), "limit_seconds": 5,
        "active": "sentinel", "sentinel": "sentinel-gateway-1", "standby": True, "predecessor": "forge",
        "internal": "sentinel", "edge": "sentinel-edge", "port": 9200, "health_port": 9201,
        "containers": ["sentinel-postgres"], "claude": {}, "probes": [],
    }  # fmt: skip


@pytest.fixture
def worlds(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Rows of the looks in turn, the last for ever: what is not named in one is well."""

    def come(*turns: dict[str, Row]) -> None:
        left = list(turns)

        def looked(*_: Any) -> list[Row]:
            rows = left.pop(0) if len(left) > 1 else left[0]
            return [rows.get(part, Row(part, True)) for part in PARTS]

        backends = next((turn["backends"] for turn in turns if "backends" in turn), Row("backends", True))
        monkeypatch.setattr(reboot_check, "_looks", looked)
        monkeypatch.setattr(checks, "of_backends", lambda asked, good: backends)

    return come


def kept(document: dict[str, Any]) -> dict[str, Any]:
    """What the boot's entry pipes in."""
    return json.loads((Path(document["folder"]) / "asked.json").read_text())


def test_the_marker_is_for_root_alone_and_goes_with_everything_else(document: dict[str, Any], tmp_path: Path) -> None:
    armed = reboot_check.arm(Document(document))
    assert armed["watched"] == ["sentinel-gateway-1", "sentinel-postgres"]
    assert stat.S_IMODE((Path(document["folder"]) / "asked.json").stat().st_mode) == 0o600
    assert (tmp_path / "cron.d" / at_boot.NAME).exists()
    assert reboot_check.disarm(Document(document))["removed"] is True
    assert reboot_check.disarm(Document(document))["removed"] is False
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["cron.d"]


def test_what_is_late_is_waited_for_and_the_result_says_how_long_it_took(
    document: dict[str, Any], worlds: Callable[..., None]
) -> None:
    reboot_check.arm(Document(document))
    assert reboot_check.show(Document(document))["result"] is None
    worlds({"port": Row("port", False, "nobody has it")}, {"containers": Row("containers", False, "late")}, {})
    result = reboot_check.check(Document(kept(document)))
    assert (result["ok"], result["told"]) == (True, "not sent: no discord_webhook is set")
    assert [one["part"] for one in result["parts"]] == [*PARTS, "backends"]
    assert 0 <= result["seconds"] < document["limit_seconds"]
    shown = reboot_check.show(Document(document))
    assert (shown["result"], shown["running"], shown["overdue"]) == (result, False, False)


@pytest.mark.parametrize("final", [True, False], ids=["final", "given-up"])
def test_what_does_not_come_is_named(document: dict[str, Any], worlds: Callable[..., None], final: bool) -> None:
    document["limit_seconds"] = 60 if final else 0.1
    reboot_check.arm(Document(document))
    worlds({"firewall": Row("firewall", False, "the script has lost its block", final)})
    result = reboot_check.check(Document(kept(document)))
    assert result["ok"] is False
    assert reboot_check.sentence(result).endswith("not well: firewall: the script has lost its block")


def test_with_the_wrong_owner_of_the_port_no_backend_is_asked(
    document: dict[str, Any], worlds: Callable[..., None]
) -> None:
    reboot_check.arm(Document(document))
    worlds({"port": Row("port", False, "forge has it", final=True)})
    result = reboot_check.check(Document(kept(document)))
    assert result["parts"][-1]["detail"].startswith("not asked: the port is not with")


def test_a_new_marker_leaves_no_old_result_standing(document: dict[str, Any], worlds: Callable[..., None]) -> None:
    reboot_check.arm(Document(document))
    worlds({})
    reboot_check.check(Document(kept(document)))
    marked = reboot_check.mark(Document(document))
    shown = reboot_check.show(Document(document))
    assert (shown["marked_at"], shown["result"]) == (marked["marked_at"], None)


def test_a_boot_that_nothing_checked_is_overdue(document: dict[str, Any]) -> None:
    reboot_check.arm(Document({**document, "limit_seconds": 0}))
    asked = Path(document["folder"]) / "asked.json"
    asked.write_text(json.dumps({**kept(document), "boot_id": "another boot"}))
    assert reboot_check.show(Document(document))["overdue"] is True


def test_a_check_at_work_is_seen_and_a_second_one_refused(document: dict[str, Any]) -> None:
    reboot_check.arm(Document(document))
    with lock.held(document["folder"], reboot_check.REASON):
        assert reboot_check.show(Document(document))["running"] is True
        with pytest.raises(Refusal, match="reboot check, since"):
            reboot_check.check(Document(kept(document)))


def test_without_a_marker_nothing_is_checked_and_nothing_marked(document: dict[str, Any]) -> None:
    for verb in (reboot_check.check, reboot_check.mark):
        with pytest.raises(Refusal, match="run 'make up'"):
            verb(Document(document))
    assert reboot_check.show(Document(document)) == {
        "armed": False,
        "marked_at": "",
        "running": False,
        "overdue": False,
        "result": None,
    }


@pytest.mark.parametrize(
    ("after_boot", "told"),
    [
        (41.5, "The host restarted: Sentinel has the port and all 1 parts are well, 41.5 s after the boot."),
        (None, "The host restarted: Sentinel has the port and all 1 parts are well, 7 s after the check began."),
    ],
)
def test_the_message_says_who_has_the_port_and_how_long_it_took(after_boot: float | None, told: str) -> None:
    row = {"part": "port", "ok": True, "detail": ""}
    found = {"seconds": 7.0, "seconds_after_boot": after_boot, "active": "sentinel", "parts": [row]}
    assert reboot_check.sentence(found) == told
