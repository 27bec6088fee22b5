"""A state that is lost, on the real engine: refused where the host serves, and back from the host's sealed copy."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from console.errors import UserError
from console.result import Result
from ops.commands.adopt import adopt
from ops.commands.down import down
from ops.commands.history import history
from ops.commands.preview import preview
from ops.commands.up import up
from ops.engine import environment, host, ownership, state, state_copy, verification
from tests.engine.test_run import PROGRAM, make_project, project, pytestmark, quiet

__all__ = ["project", "pytestmark"]

SHOWN = ownership.shown
KEEP = state_copy.keep
CLAIMING = (
    PROGRAM
    + """

class Action(pulumi.ComponentResource):
    def __init__(self, name, stdout):
        super().__init__("test:index:Action", name)
        self.register_outputs({"stdout": stdout})


Action("host-state-id", "0123456789abcdef")
Action("host-hostctl", "")
"""
)
"""As the real program's first action leaves it in the state."""


class FakeHost:
    """The verbs of `stack` on a host with one container that serves."""

    def __init__(self) -> None:
        self.record: dict[str, Any] | None = {"stack": "elsewhere", "id": "", "since": "2026-11-26", "machine": "m1"}
        self.containers = ["gateway-1"]
        self.copies: dict[str, str] = {}
        self.claimed: list[str] = []

    def run(self, stack: str, settings: Any, verb: str, action: str, document: Mapping[str, Any], **_: Any) -> Any:
        assert verb == "stack"
        if action == "show":
            copies = [{"name": name, "at": "2026-11-26T03:17:00Z"} for name in sorted(self.copies, reverse=True)]
            return {
                "record": self.record, "machine": "m1", "containers": self.containers, "serving": self.containers,
                "program": True, "copies": copies,
            }  # fmt: skip
        if action == "keep":
            self.copies[document["name"]] = document["content"]
        if action == "claim":
            self.claimed.append(document["id"])
        return {"content": self.copies[document["name"]]} if action == "copy" else {}


@pytest.fixture
def fake(project: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    made = FakeHost()
    monkeypatch.setattr(host, "run", made.run)
    monkeypatch.setattr(ownership, "shown", SHOWN)
    monkeypatch.setattr(state_copy, "keep", KEEP)
    monkeypatch.setattr(ownership, "WORK", project / "work")
    monkeypatch.setattr(state_copy, "WORK", project / "work")
    settings = SimpleNamespace(
        active="sentinel",
        predecessor=SimpleNamespace(kind="contextforge"),
        sentinel=SimpleNamespace(port=9200),
        host=SimpleNamespace(kind="local", folder="/var/lib/product"),
        nightly=SimpleNamespace(folder="/var/backups"),
    )
    monkeypatch.setattr(state, "settings_of", lambda *_: settings)  # type: ignore[reportUnknownLambdaType]
    answers = Result({"ok": True}, "sqlite  list_tables  ok", True)
    monkeypatch.setattr(verification, "verify_backends", lambda *_: answers)  # type: ignore[reportUnknownLambdaType]
    make_project(project, program=CLAIMING)
    return made


def cut_over(project: Path, fake: FakeHost) -> None:
    """The first run of the clone that made the stack, on a host that was empty."""
    fake.containers = []
    done = up("elsewhere", quiet(project)[0], yes=True)
    assert done.ok and f"keep       the passphrase in {project}/.state/passphrase" in done.text
    fake.containers, fake.record = ["gateway-1"], {"stack": "elsewhere", "id": "0123456789abcdef", "since": "26 Nov"}
    assert "keep  " not in up("elsewhere", quiet(project)[0], yes=True).text


def lose(project: Path) -> None:
    shutil.rmtree(project / ".state" / "elsewhere")
    shutil.rmtree(project / "work", ignore_errors=True)


def test_a_run_with_an_empty_state_is_refused_where_the_host_serves(project: Path, fake: FakeHost) -> None:
    cut_over(project, fake)
    lose(project)
    for command in (up, preview):
        options = {"yes": True} if command is up else {}
        with pytest.raises(
            UserError, match=r"already runs stack elsewhere, and gateway-1 serves .* `make adopt STACK="
        ):
            command("elsewhere", quiet(project)[0], **options)
    with pytest.raises(UserError, match="already runs stack elsewhere"):
        down("elsewhere", quiet(project)[0], yes=True)


def test_a_lost_state_comes_back_from_the_hosts_copy_with_its_history(project: Path, fake: FakeHost) -> None:
    cut_over(project, fake)
    assert list(fake.copies), "a copy is kept after a run"
    lose(project)
    done = adopt("elsewhere", quiet(project)[0], yes=True)
    assert done.ok and done.document["from"] == "the copy of 2026-11-26T03:17:00Z"
    assert fake.claimed == ["0123456789abcdef"]
    assert set(done.document["changes"]) == {"same"}
    rows = [(row["kind"], row["active"]) for row in history("elsewhere", quiet(project)[0]).document]
    assert rows == [("refresh", "sentinel"), ("update", "sentinel")], (
        "the copy's own, of the run that changed something"
    )
    assert up("elsewhere", quiet(project)[0], yes=True).ok


def test_a_copy_is_kept_only_after_a_run_that_changed_something(project: Path, fake: FakeHost) -> None:
    cut_over(project, fake)
    fake.copies.clear()
    up("elsewhere", quiet(project)[0], yes=True)
    assert not fake.copies
    file = project / "Pulumi.elsewhere.yaml"
    file.write_text(file.read_text() + "# a comment\n")
    up("elsewhere", quiet(project)[0], yes=True)
    assert len(fake.copies) == 1 and b"sealed" in base64.b64decode(next(iter(fake.copies.values())))[:30]


def test_a_state_that_is_there_is_not_adopted_over(project: Path, fake: FakeHost) -> None:
    cut_over(project, fake)
    with pytest.raises(UserError, match="has the state of stack elsewhere already"):
        adopt("elsewhere", quiet(project)[0], yes=True)


def test_an_empty_host_has_nothing_to_adopt(project: Path, fake: FakeHost) -> None:
    fake.containers = []
    with pytest.raises(UserError, match="nothing to take over: `make up STACK=elsewhere`"):
        adopt("elsewhere", quiet(project)[0], yes=True)


def test_an_older_state_of_a_host_that_was_adopted_elsewhere_is_refused(project: Path, fake: FakeHost) -> None:
    cut_over(project, fake)
    fake.record = {"stack": "elsewhere", "id": "fedcba", "since": "2026-11-27"}
    with pytest.raises(UserError, match=r"another state of stack elsewhere since 2026-11-27, .* `make adopt STACK="):
        up("elsewhere", quiet(project)[0], yes=True)


def test_on_a_replaced_host_everything_is_made_anew_and_the_restore_is_offered(project: Path, fake: FakeHost) -> None:
    cut_over(project, fake)
    fake.record, fake.containers = None, []
    progress, out = quiet(project)
    done = up("elsewhere", progress, yes=True)
    assert done.ok and done.document["changes"].get("create") and "same" not in done.document["changes"]
    assert "has nothing of the stack" in out.getvalue()
    assert "the volume sentinel-postgres is empty" in done.text and "make restore FROM=" in done.text


def test_a_second_clone_without_the_passphrase_makes_none(project: Path, fake: FakeHost) -> None:
    cut_over(project, fake)
    with open(project / "Pulumi.elsewhere.yaml", "a", encoding="utf-8") as file:
        if "encryptionsalt" not in (project / "Pulumi.elsewhere.yaml").read_text():
            file.write("encryptionsalt: v1:AAAAAAAAAAA=:v1:AAAA\n")
    shutil.rmtree(project / ".state")
    with pytest.raises(UserError, match=r"Pulumi.elsewhere.yaml has secrets of a passphrase .* copy .state/passphrase"):
        environment.variables("elsewhere")
    assert not (project / ".state" / "passphrase").exists()
