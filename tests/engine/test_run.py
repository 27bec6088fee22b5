"""The commands over the real engine and a small program of its own: exit, documents, errors, Ctrl-C, history."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from console.errors import UserError
from console.paths import ROOT
from console.progress import Progress
from console.result import Result
from ops.commands.down import down
from ops.commands.history import history
from ops.commands.up import up
from ops.engine import (
    after_failure,
    claude_entry,
    claude_sessions,
    environment,
    host_inspection,
    host_repair,
    ownership,
    prerequisites,
    recovery,
    run,
    state,
    state_copy,
    verification,
)
from ops.engine.ownership import Shown
from ops.engine.run import EngineFailed
from ops.engine.verification import AfterRun
from toolchain import find

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(
        bool(find.missing(find.programs())), reason="the engine is not there yet; `make test` provides it"
    ),
]

PROGRAM = """
import pulumi
config = pulumi.Config()
active = config.require("active")
if active == "broken":
    raise pulumi.RunError("active is broken: set it to sentinel.")
pulumi.export("active", active)
pulumi.export("handover", {"downtime_ms": 41, "from": "contextforge", "to": "sentinel", "at": "2026-01-01T00:00:00Z"})
pulumi.export("hidden", pulumi.Output.secret("swordfish"))


class Handover(pulumi.ComponentResource):
    def __init__(self):
        super().__init__("sentinel-cutover:index:Handover", "handover")
        request = pulumi.Output.from_input({"port": 9200, "limits": {"seconds": 1.5}, "also": [], "record": None})
        self.register_outputs({"request": request, "token": pulumi.Output.secret("swordfish")})


Handover()
"""


def make_project(folder: Path, active: str = "sentinel", program: str = PROGRAM) -> None:
    (folder / "Pulumi.yaml").write_text("name: sentinel-cutover\nruntime: python\n")
    (folder / "Pulumi.elsewhere.yaml").write_text(f"config:\n  sentinel-cutover:active: {active}\n")
    (folder / "__main__.py").write_text(program)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_project(tmp_path)
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "STATE", tmp_path / ".state")
    monkeypatch.setattr(environment, "PULUMI_HOME", tmp_path / "pulumi-home")
    monkeypatch.setattr(prerequisites, "make_ready", lambda stack, progress: None)  # type: ignore[reportUnknownLambdaType]
    monkeypatch.setattr(verification, "after_run", after_run)
    without_a_host(monkeypatch.setattr)
    for name in environment.NAMES[1:]:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def without_a_host(replace: Callable[..., None]) -> None:
    """The small program has neither all settings nor a host that answers."""
    repairs = ("keep_program", "finish_deletes", "keep_claude", "drop_deletes")
    for module, name in (*((host_repair, name) for name in repairs), (recovery, "finish")):
        replace(module, name, lambda *_: [])  # type: ignore[reportUnknownLambdaType]
    replace(ownership, "shown", lambda *_: Shown({}, "", (), (), ()))  # type: ignore[reportUnknownLambdaType]
    replace(state_copy, "keep", lambda *_, **__: None)  # type: ignore[reportUnknownLambdaType]
    settings = SimpleNamespace(
        active="sentinel",
        predecessor=SimpleNamespace(kind="contextforge"),
        sentinel=SimpleNamespace(port=9200),
        host=SimpleNamespace(kind="local"),
    )
    replace(state, "settings_of", lambda *_: settings)  # type: ignore[reportUnknownLambdaType]
    replace(after_failure, "rows", lambda *_: [])  # type: ignore[reportUnknownLambdaType]
    replace(host_inspection, "require_able", lambda *_: None)  # type: ignore[reportUnknownLambdaType]
    entry: dict[str, Any] = {"ok": True, "reason": "", "restored_at": "", "others": [], "unread": []}
    for name in ("checked", "kept_at_the_end"):
        replace(claude_entry, name, lambda *_: entry)  # type: ignore[reportUnknownLambdaType]
    replace(claude_sessions, "found", lambda *_: [])  # type: ignore[reportUnknownLambdaType]
    replace(recovery, "holder_of_port", lambda *_: "forge")  # type: ignore[reportUnknownLambdaType]


def after_run(
    opened: object,
    stack: str,
    settings: object,
    outputs: Mapping[str, Any],
    check: object,
    began: object = None,
    ok: bool = True,
) -> AfterRun:
    """The port of the small program is nobody's: what would answer through it is given here."""
    return AfterRun(
        outputs["handover"], Result({"ok": ok}, "sqlite  list_tables  " + ("ok" if ok else "unreachable"), ok)
    )


def quiet(folder: Path) -> tuple[Progress, io.StringIO]:
    out = io.StringIO()
    return Progress(folder / "log", out), out


def test_up_reports_who_serves_and_the_downtime_and_no_secret(project: Path) -> None:
    progress, out = quiet(project)
    done = up("elsewhere", progress, yes=True)
    assert done.ok and done.document["active"] == "sentinel" and done.document["downtime_ms"] == 41
    assert ", downtime 41 ms" in done.text and "make verify STACK=elsewhere" in done.text
    assert "swordfish" not in json.dumps(done.document) + done.text + out.getvalue()


def test_the_state_gives_the_programs_outputs_without_the_secret_one(project: Path) -> None:
    progress, _ = quiet(project)
    opened = run.open_stack("elsewhere", progress)
    assert state.outputs_of(opened, "elsewhere") == {}
    done = up("elsewhere", progress, yes=True)
    assert state.outputs_of(opened, "elsewhere") == done.document["outputs"]
    assert set(done.document["outputs"]) == {"active", "handover"}


def test_a_components_request_comes_out_of_the_state_as_it_was_registered(project: Path) -> None:
    up("elsewhere", quiet(project)[0], yes=True)
    resources = state.resources_of(run.open_stack("elsewhere", quiet(project)[0]), "elsewhere")
    request: dict[str, Any] = {"port": 9200, "limits": {"seconds": 1.5}, "also": [], "record": None}
    assert state.component(resources, "Handover") == {"request": request}


def test_up_is_not_a_success_when_a_backend_does_not_answer_through_the_port(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "after_run", partial(after_run, ok=False))
    done = up("elsewhere", quiet(project)[0], yes=True)
    assert not done.ok and done.document["ok"] is False and done.document["verify"] == {"ok": False}
    assert "verified   sqlite  list_tables  unreachable" in done.text


def test_down_shows_what_it_would_take_away_before_it_asks(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    up("elsewhere", quiet(project)[0], yes=True)
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    progress, out = quiet(project)
    with pytest.raises(UserError, match="YES=1"):
        down("elsewhere", progress, yes=False)
    assert "pulumi:pulumi:Stack sentinel-cutover-elsewhere delete" in out.getvalue()
    assert [row["number"] for row in history("elsewhere", progress).document] == [1]
    done = down("elsewhere", progress, yes=True)
    assert done.ok and "forge has port 9200, Sentinel's database keeps its volume" in done.text


def test_down_is_no_success_while_a_delete_is_left_undone(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    up("elsewhere", quiet(project)[0], yes=True)
    left = ["nightly remove is still not done: the marker lines are broken"]
    monkeypatch.setattr(host_repair, "finish_deletes", lambda *_: left)  # type: ignore[reportUnknownLambdaType]
    done = down("elsewhere", quiet(project)[0], yes=True)
    assert not done.ok and done.document["left"] == left
    assert done.text.endswith(f"{left[0]}\nFix that, then run `make down STACK=elsewhere` again.")
    monkeypatch.setattr(host_repair, "finish_deletes", lambda *_: [])  # type: ignore[reportUnknownLambdaType]
    assert down("elsewhere", quiet(project)[0], yes=True).ok


def test_history_numbers_the_updates_and_says_who_was_active(project: Path) -> None:
    progress, _ = quiet(project)
    up("elsewhere", progress, yes=True)
    settings = project / "Pulumi.elsewhere.yaml"
    settings.write_text(settings.read_text().replace("active: sentinel", "active: contextforge"))
    up("elsewhere", progress, yes=True)
    rows = history("elsewhere", progress).document
    assert [(row["number"], row["active"]) for row in rows] == [(2, "contextforge"), (1, "sentinel")]


def test_a_program_that_refuses_its_settings_is_one_sentence(project: Path) -> None:
    make_project(project, "broken")
    progress, out = quiet(project)
    with pytest.raises(EngineFailed, match=r"^pulumi up of stack elsewhere failed: active is broken: set it to"):
        up("elsewhere", progress, yes=True)
    assert "Traceback" not in out.getvalue()


def test_an_existing_host_is_not_changed_when_nobody_can_answer(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    progress, _ = quiet(project)
    with pytest.raises(UserError, match="YES=1"):
        up("elsewhere", progress, yes=False)
    assert history("elsewhere", progress).document == []


INTERRUPTED = """
import sys
from pathlib import Path
from console.progress import Progress
from ops.commands.up import up
from ops.engine import environment, prerequisites, run
run.ROOT = Path(sys.argv[1])
environment.STATE = run.ROOT / ".state"
environment.PULUMI_HOME = run.ROOT / "pulumi-home"
prerequisites.make_ready = lambda stack, progress: None
from tests.engine.test_run import without_a_host
without_a_host(setattr)
try:
    up("elsewhere", Progress(run.ROOT / "log"), yes=True)
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_ctrl_c_lets_the_engine_end_in_order_and_leaves_no_lock(project: Path) -> None:
    started = project / "started"
    os.mkfifo(started)
    make_project(project, program=f"import time\nopen({str(started)!r}, 'w').write('now')\ntime.sleep(600)\n")
    running = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(project)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    assert started.read_text() == "now"
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert not list((project / ".state").rglob("locks/**/*.json"))
    make_project(project)
    assert up("elsewhere", quiet(project)[0], yes=True).ok
