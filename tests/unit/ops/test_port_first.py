"""`make rollback` hands the port over before the engine runs, and says who serves where either of them fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from pulumi import automation

from console.errors import UserError
from console.progress import Progress
from console.result import Result
from ops.commands import rollback
from ops.engine import host, recovery, state, verification
from ops.engine.run import EngineFailed, LockHeld
from ops.engine.state import Snapshot
from settings import load
from settings.model import SECRET_KEYS
from tests.unit.settings.cases import configuration

BEFORE = {"at": "before"}
MOVED = {"changed": True, "from": "sentinel-gateway-1", "to": "forge", "downtime_ms": 150, "at": "now"}


def answering(answer: Callable[[], object]) -> Callable[..., object]:
    """The same answer to any question."""
    return lambda *_: answer()  # pyright: ignore[reportUnknownLambdaType]


class Host:
    """Answers of the host and the engine, and the order of their calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.calls: list[str] = []
        self.requests: list[dict[str, Any]] = []
        self.active, self.unfinished, self.last = "sentinel", None, BEFORE
        self.failures: dict[str, UserError] = {}
        self.progress = Progress(tmp_path)
        settings = load(configuration(active="contextforge"), SECRET_KEYS, stack="prod")
        self.snapshot = Snapshot(settings, {})

        def step(name: str, answer: Callable[..., Any]) -> Callable[..., Any]:
            def run(*values: Any, **_: Any) -> Any:
                self.calls.append(name)
                if name in self.failures:
                    raise self.failures[name]
                return answer(*values)

            return run

        made = recovery.Updated({"delete": 3}, {})
        monkeypatch.setattr(recovery, "require_unlocked", step("lock", answering(lambda: None)))
        monkeypatch.setattr(recovery, "up", step("engine", answering(lambda: made)))
        monkeypatch.setattr(host, "hand_over", step("port", self.hand_over))
        monkeypatch.setattr(host, "handover_status", answering(self.status))
        monkeypatch.setattr(state, "resources_of", answering(tuple))
        monkeypatch.setattr(verification, "verify_backends", answering(lambda: Result({"backends": []}, "", True)))

    def status(self) -> dict[str, Any]:
        return {
            "active": self.active, "busy": None, "unfinished": self.unfinished, "last": self.last,
            "holder": {"name": self.active, "id": "5e"},
        }  # fmt: skip

    def hand_over(self, stack: str, settings: Any, action: str, document: dict[str, Any]) -> dict[str, Any]:
        self.requests.append(document)
        self.active, self.unfinished, self.last = "contextforge", None, MOVED
        return MOVED

    def roll_back(self, force: bool = False) -> Result:
        opened = cast(automation.Stack, None)
        return rollback._run(opened, "prod", self.snapshot, self.progress, force=force)  # pyright: ignore[reportPrivateUsage]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    return Host(monkeypatch, tmp_path)


@pytest.mark.parametrize("force", [False, True])
def test_the_port_goes_first_and_its_downtime_is_the_results(world: Host, force: bool) -> None:
    done = world.roll_back(force)
    assert world.calls == ["lock", "port", "engine"]
    assert (world.requests[0]["container"], world.requests[0]["force"]) == ("5e", force)
    assert done.ok and done.document["downtime_ms"] == 150 and done.document["active"] == "contextforge"


def test_a_killed_rollback_is_finished_before_the_engine_runs(world: Host) -> None:
    world.active, world.unfinished = "nobody", {"verb": "rollback"}  # pyright: ignore[reportAttributeAccessIssue]
    assert world.roll_back().ok
    assert world.calls == ["lock", "port", "engine"]


def test_where_contextforge_serves_already_only_the_engine_runs(world: Host) -> None:
    world.active = "contextforge"
    assert world.roll_back().document["downtime_ms"] == 0
    assert world.calls == ["lock", "engine"]


def test_a_run_at_work_is_not_overtaken(world: Host) -> None:
    world.failures["lock"] = LockHeld("another run")
    with pytest.raises(LockHeld):
        world.roll_back()
    assert world.calls == ["lock"]


def test_a_handover_that_fails_leaves_the_engine_alone(world: Host) -> None:
    world.failures["port"] = UserError("the handover failed; sentinel serves again on port 9200")
    with pytest.raises(rollback.NotMoved, match="serves again"):
        world.roll_back()
    assert world.calls == ["lock", "port"]


@pytest.mark.parametrize("failure", [EngineFailed("No space."), LockHeld("Another run."), UserError("No answer.")])
def test_an_engine_that_fails_after_the_handover_leaves_the_configuration_as_the_port_is(
    world: Host, failure: UserError
) -> None:
    world.failures["engine"] = failure
    with pytest.raises(EngineFailed) as failed:
        world.roll_back()
    assert not isinstance(failed.value, LockHeld)
    assert str(failed.value) == f"{failure} Pulumi.prod.yaml says active: contextforge."
