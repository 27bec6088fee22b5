"""A fleet's runs as real processes: waves, failures, Ctrl-C, the table on a terminal, and what is left to do."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from console.errors import UserError
from console.paths import ROOT
from console.progress import Progress
from console.result import Result
from ops.commands.fleet_preview import fleet_preview
from ops.commands.fleet_rollback import fleet_rollback
from ops.commands.fleet_status import fleet_status
from ops.commands.fleet_up import fleet_up
from ops.commands.fleet_verify import fleet_verify
from ops.engine import prerequisites
from ops.fleet import host_run, progress_of
from ops.fleet.host_run import HostRun, Outcome
from ops.fleet.progress_of import Seen
from ops.fleet.view import table

HOST = """
import json, os, signal, sys
from pathlib import Path
folder, command, stack = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
def note(word):
    with (folder / "events").open("a") as events:
        events.write(f"{word} {stack}\\n")
note("begin")
print(f" +  command:local:Command host-hostctl-of-{stack} creating (0s)", file=sys.stderr, flush=True)
if (folder / f"gate-{stack}").exists():
    try:
        (folder / f"gate-{stack}").read_text()
    except KeyboardInterrupt:
        note("interrupt")
        print("Interrupted: run `make up` again to continue.", file=sys.stderr)
        sys.exit(130)
note("end")
document = json.loads((folder / f"{command}.json").read_text())
print(json.dumps({"ok": False, "error": f"{stack} is broken: repair it."} if (folder / f"broken-{stack}").exists()
      else document))
sys.exit((folder / f"broken-{stack}").exists())
"""
"""A host's command: it notes its beginning and its end, waits at its gate where it has one, and may be broken."""

UP = {"ok": True, "active": "sentinel", "downtime_ms": 41, "changes": {"create": 80, "same": 1}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    arrange(tmp_path, monkeypatch.setattr)
    for stack in "abcde":
        (tmp_path / f"Pulumi.{stack}.yaml").write_text("")
    document(tmp_path, "up", UP)
    return tmp_path


def arrange(folder: Path, replace: Any) -> None:
    """The commands of the folder's hosts instead of the engine's."""
    replace(prerequisites, "ROOT", folder)
    replace(prerequisites, "make_ready", lambda *_: None)  # type: ignore[reportUnknownLambdaType]
    replace(host_run, "LOGS", folder / "log")

    def line(command: str, stack: str) -> list[str]:
        return [sys.executable, "-S", "-c", HOST, str(folder), command, stack]

    replace(host_run, "command_line", line)


def document(folder: Path, command: str, value: Mapping[str, Any]) -> None:
    (folder / f"{command}.json").write_text(json.dumps(value))


def events(folder: Path) -> list[str]:
    return (folder / "events").read_text().splitlines()


def up(folder: Path, stacks: str, at_once: int = 2) -> Result:
    return fleet_up(stacks.split(), Progress(folder / "steps", io.StringIO()), at_once=at_once, yes=True)


def results(done: Result) -> dict[str, str]:
    return {host["stack"]: host["result"] for host in done.document["hosts"]}


def test_the_canary_ends_before_any_other_host_begins(folder: Path) -> None:
    done = up(folder, "c a b d")
    assert done.ok and results(done) == {"c": "ok", "a": "ok", "b": "ok", "d": "ok"}
    assert events(folder)[:2] == ["begin c", "end c"] and done.document["next"] is None
    assert "c     " in done.text and "41 ms     ok      sentinel owns the port; create 80" in done.text


def test_hosts_are_at_work_at_the_same_time_up_to_the_limit(folder: Path) -> None:
    first_wave = ["end b", "end c"]
    for stack in "bcd":
        os.mkfifo(folder / f"gate-{stack}")
    running = fleet(folder, "fleet-up", "--stack", *"abcd", "--at-once", "2", "--yes")
    # Opening a gate waits for its reader: both are at work then, and the third is not.
    gates = [(folder / f"gate-{stack}").open("w") for stack in "bc"]
    assert "begin d" not in events(folder)
    for gate in gates:
        gate.close()
    (folder / "gate-d").open("w").close()
    running.communicate(timeout=30)
    assert running.returncode == 0 and events(folder).index("begin d") > min(map(events(folder).index, first_wave))


def test_a_failure_in_the_second_wave_starts_no_further_host_and_names_the_command_that_goes_on(folder: Path) -> None:
    (folder / "broken-b").touch()
    os.mkfifo(folder / "gate-c")
    running = fleet(folder, "fleet-up", "--stack", *"abcde", "--at-once", "2", "--yes")
    with (folder / "gate-c").open("w"):
        shown = iter(running.stderr or ())
        assert any("b: failed" in line for line in shown)
        assert "begin d" not in events(folder)
    said, _ = running.communicate(timeout=30)
    rows = [line.split()[:5] for line in said.splitlines()]
    assert running.returncode == 1 and rows[2][:1] + rows[2][2:] == ["b", "failed", "b", "is"]
    assert [row[0] for row in rows] == ["host", "a", "b", "c", "d", "e", "next"] and rows[4][:3] == [
        "d",
        "not",
        "started",
    ]
    assert said.endswith('next  make fleet-up STACKS="b d e" AT_ONCE=2\n')


def test_a_canary_that_fails_leaves_every_other_host_alone(folder: Path) -> None:
    (folder / "broken-a").touch()
    assert results(up(folder, "a b c")) == {"a": "failed", "b": "not started", "c": "not started"}


def test_a_rollback_goes_on_past_a_host_that_fails(folder: Path) -> None:
    document(folder, "rollback", {"ok": True, "active": "contextforge", "downtime_ms": 205})
    (folder / "broken-a").touch()
    done = fleet_rollback(list("abc"), Progress(folder / "steps", io.StringIO()), at_once=1, yes=True)
    assert results(done) == {"a": "failed", "b": "ok", "c": "ok"}
    assert done.document["next"] == 'make fleet-rollback STACKS="a" AT_ONCE=1'


def test_status_and_verify_have_one_line_for_each_host(folder: Path) -> None:
    proof = {"ok": True, "at": "2026-01-01T03:17:00Z", "reason": ""}
    life = {"active": "sentinel", "healthy": True, "since": "2026-01-01", "token_days_left": 81, "drift": ["x is gone"]}
    allowed = {"name": "exa", "result": "tool-error", "why_allowed": "optional"}
    backends = [{"name": "n8n", "result": "auth"}, allowed]
    document(folder, "status", {**life, "rollback": proof})
    document(
        folder,
        "verify",
        {"ok": False, "active": "sentinel", "backends": backends, "claude": {"ok": False}},
    )
    progress = Progress(folder / "steps", io.StringIO())
    shown = fleet_status(["a"], progress, at_once=3).text
    assert "sentinel since 2026-01-01, every backend answers, rollback possible, proven 03:17 UTC" in shown
    assert "token 81 days, drift: x is gone" in shown
    assert "sentinel: n8n auth, claude" in fleet_verify(["a"], progress, at_once=3).text


def test_nothing_is_changed_where_one_preview_fails(folder: Path) -> None:
    document(folder, "preview", {"ok": True, "changes": {"same": 80}})
    (folder / "broken-b").touch()
    progress = Progress(folder / "steps", io.StringIO())
    assert results(fleet_preview(list("ab"), progress, at_once=3)) == {"a": "ok", "b": "failed"}
    with pytest.raises(UserError, match=r"^Nothing was changed"):
        fleet_up(list("ab"), progress, at_once=3, yes=False)
    (folder / "broken-b").unlink()
    with pytest.raises(UserError, match=r"on a first.*YES=1"):
        fleet_up(list("ab"), progress, at_once=3, yes=False)


@pytest.mark.parametrize(("stacks", "sentence"), [("", "No stack is named"), ("a b a", "a more than once")])
def test_a_wrong_list_of_stacks_is_refused(folder: Path, stacks: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        up(folder, stacks)


def test_what_is_missing_is_installed_once_for_all_hosts_that_exist(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    monkeypatch.setattr(prerequisites, "make_ready", lambda stack, _: made.append(stack))  # type: ignore[reportUnknownLambdaType]
    # The lab's file is made by its sandbox.
    up(folder, "a lab b c")
    assert made == ["a", "lab"]


def test_a_mistyped_stack_is_refused_before_the_canary_begins(folder: Path) -> None:
    with pytest.raises(UserError, match=r"There is no Pulumi\.prodd\.yaml"):
        up(folder, "a prodd")
    assert not (folder / "events").exists()


INTERRUPTED = """
import sys
from pathlib import Path
from tests.unit.ops.test_fleet import arrange
arrange(Path(sys.argv.pop(1)), setattr)
from ops.__main__ import main
sys.exit(main())
"""


def fleet(folder: Path, *words: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """`python -m ops` on the folder's hosts, in a process of its own."""
    command = [sys.executable, "-c", INTERRUPTED, str(folder), *words]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=stderr, text=True, start_new_session=True
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_reaches_each_host_at_work_once_and_says_what_is_left(folder: Path, number: signal.Signals) -> None:
    for stack in "bc":
        os.mkfifo(folder / f"gate-{stack}")
    running = fleet(folder, "fleet-up", "--stack", *"abcd", "--at-once", "2", "--yes", "--json")
    gates = [(folder / f"gate-{stack}").open("w") for stack in "bc"]
    running.send_signal(number)
    said, shown = running.communicate(timeout=30)
    for gate in gates:
        gate.close()
    done = json.loads(said)
    assert running.returncode == 130, shown
    assert [host["result"] for host in done["hosts"]] == ["ok", "interrupted", "interrupted", "not started"]
    assert sorted(events(folder)[-2:]) == ["interrupt b", "interrupt c"]
    assert done["next"] == 'make fleet-up STACKS="b c d" AT_ONCE=2' and "No further host is started" in shown


def test_a_killed_fleet_leaves_its_hosts_runs_to_their_own_end(folder: Path) -> None:
    os.mkfifo(folder / "gate-a")
    running = fleet(folder, "fleet-up", "--stack", "a", "b", "--yes")
    with (folder / "gate-a").open("w"):
        running.kill()
        running.wait(30)
        for stream in (running.stdout, running.stderr):
            assert stream
            stream.close()
    written = folder / "log" / "fleet-up" / "a.json"
    wait = threading.Event()
    while not written.read_text():
        wait.wait(0.05)
    assert json.loads(written.read_text()) == UP and events(folder) == ["begin a", "end a"]


def test_a_terminal_gets_a_table_that_stays_in_its_place(folder: Path) -> None:
    ours, theirs = os.openpty()
    running = fleet(folder, "fleet-up", "--stack", *"abc", "--yes", stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:
        os.close(ours)
    said, _ = running.communicate(timeout=30)
    assert b"host  phase" in shown and b"c     waiting" in shown and b"\x1b[4F" in shown
    assert shown.endswith(b"\x1b[J") and b"begins" not in shown
    assert said.splitlines()[0].split() == ["host", "seconds", "downtime", "result"]


def test_a_fleet_that_is_higher_than_the_terminal_shows_who_is_at_work_and_who_failed() -> None:
    stacks = [f"h{number}" for number in range(100)]
    ended = [Outcome(f"h{number}", "failed" if number == 3 else "ok", 9.0) for number in range(50)]
    lines = table(stacks, list[HostRun](), ended, height=24)
    assert [line.split()[0] for line in lines] == ["host", "h3", "100"]
    assert lines[-1] == "100 hosts: 49 ok, 0 at work, 50 waiting"


def test_the_engines_lines_become_a_phase_and_a_downtime() -> None:
    seen = Seen()
    for line in (
        " +  pulumi:pulumi:Stack sentinel-cutover-a creating (0s)",
        " \x1b[32m+\x1b[0m  command:remote:Command handover-port creating (0s)",
        "mcp-gateway-1 -> sentinel-gateway-1a: downtime 398 ms (release 250, connect 134, answer 14)",
    ):
        seen = progress_of.after(seen, line)
    assert seen == Seen("handover-port creating", 398)
    assert progress_of.after(seen, "Duration: 9s").phase == progress_of.CHECKING
