"""`make alert-drill`: one result a way; the exit status is 0 only when a message was sent and no way failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from console.errors import UserError
from console.progress import Progress
from ops.commands import alert_drill
from ops.commands.alert_drill import ROUTES, Drill, Outcome, Route, run_routes
from settings import load
from settings.model import SECRET_KEYS, Settings
from tests.unit.settings.cases import SMALLEST, configuration


def settings(**changes: Any) -> Settings:
    return load(configuration(**changes), SECRET_KEYS)


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    return Progress(tmp_path / "log")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """The requests to the host; it answers that the webhook is there and that the message was sent."""
    requests: list[tuple[str, dict[str, Any]]] = []

    def run(stack: str, settings: Settings, verb: str, action: str, document: dict[str, Any]) -> dict[str, Any]:
        requests.append((f"{verb} {action}", document))
        return {"seen": True, "name": "alerts", "sent": True}

    monkeypatch.setattr(alert_drill.host, "run", run)
    return requests


def test_each_way_runs_on_the_host_and_the_message_shows_the_mark(
    host: list[tuple[str, dict[str, Any]]], progress: Progress
) -> None:
    result = run_routes(Drill("prod", settings(), "7f3a2c"), ROUTES, progress)
    assert [(row["route"], row["result"]) for row in result.document["routes"]] == [
        ("webhook", "seen"),
        ("grafana", "sent"),
        ("n8n", "sent"),
    ]
    assert (result.ok, result.document["ok"], result.document["mark"]) == (True, True, "7f3a2c")
    assert result.text.endswith("Now find in the channel: Alert test 7f3a2c")
    (_, checked), (_, sent), _ = host
    assert checked["webhook"] == SMALLEST["discord_webhook"]
    assert "Alert test 7f3a2c" in sent["alert"]["annotations"]["summary"]
    assert SMALLEST["discord_webhook"] not in str(result) and SMALLEST["grafana_admin_password"] not in str(result)


def test_n8n_is_called_with_its_key_while_the_watch_is_there(
    host: list[tuple[str, dict[str, Any]]], progress: Progress
) -> None:
    key = "n8n-" + "n" * 40
    result = run_routes(Drill("prod", settings(n8n_api_key=key), "7f3a2c"), ROUTES[2:], progress)
    assert [row["result"] for row in result.document["routes"]] == ["sent"]
    ((verb, sent),) = host
    assert (verb, sent["key"], "Alert test 7f3a2c" in sent["embed"]) == ("n8n send", key, True)
    assert key not in str(result)
    for absent in ({"health_watch__enabled": False}, {"active": "contextforge"}):
        result = run_routes(Drill("prod", settings(n8n_api_key=key, **absent), "7f3a2c"), ROUTES[2:], progress)
        assert [row["result"] for row in result.document["routes"]] == ["absent"]


def test_without_grafana_and_watch_nothing_is_sent_which_is_no_success(
    host: list[tuple[str, dict[str, Any]]], progress: Progress
) -> None:
    result = run_routes(
        Drill("prod", settings(grafana__enabled=False, health_watch__enabled=False), "7f3a2c"), ROUTES, progress
    )
    assert result.ok is False
    assert "No message was sent: nothing in this stack sends alerts" in result.text


def fails(drill: Drill) -> Outcome:
    raise UserError("hostctl discord check: Discord answers 404 for the webhook")


def failed(drill: Drill) -> Outcome:
    return Outcome("failed", "Discord answers 404 for the webhook")


@pytest.mark.parametrize("bad", [fails, failed], ids=["raised", "returned"])
def test_one_way_that_fails_is_named_and_the_others_are_tried_all_the_same(bad: Route, progress: Progress) -> None:
    routes: list[tuple[str, Route]] = [("bad", bad), ("good", lambda drill: Outcome("sent", "taken"))]
    result = run_routes(Drill("prod", settings(), "7f3a2c"), routes, progress)
    assert result.ok is False
    assert [row["result"] for row in result.document["routes"]] == ["failed", "sent"]
    assert "bad        failed   " in result.text and "Discord answers 404" in result.text
