"""The nightly job: its steps, their metrics, and the ways in which the host runs it."""

from __future__ import annotations

import json
import re
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hostctl import nightly
from hostctl.core import requests
from hostctl.core.errors import Refusal
from hostctl.core.lock import held
from hostctl.handover.request import HandoverRequest
from hostctl.handover.scenarios import REQUEST
from hostctl.host import repair
from hostctl.nightly import Step, results
from hostctl.nightly.request import NightlyRequest
from hostctl.predecessor import rollback_proof
from hostctl.schedule import installer, script_runner
from hostctl.schedule.job import Scheduler
from tests.unit.hostctl.nightly.request import nightly_request
from tests.unit.hostctl.schedule_host import Host, host
from tests.unit.hostctl.test_any_document import ran

__all__ = ["host"]

SCRIPT = "#!/bin/sh\n# Theirs.\nset -eu\necho theirs\nexit 0\n"


def installable(tmp_path: Path, kind: str = "script") -> NightlyRequest:
    """By the operator's script, or by systemd or cron."""
    (tmp_path / "marks").mkdir(exist_ok=True)
    script = tmp_path / "nightly-db-backup.sh"
    if not script.exists():
        script.write_text(SCRIPT)
        script.chmod(0o755)
    return nightly_request(tmp_path, str(script) if kind == "script" else "", "cron" if kind == "script" else kind)


def steps(*found: tuple[str, Any, str]) -> tuple[Step, ...]:
    return tuple(Step(name, run, after) for name, run, after in found)


def good(_: NightlyRequest) -> dict[str, Any]:
    return {"result": "good"}


def bad(_: NightlyRequest) -> dict[str, Any]:
    raise Refusal("the disk is full")


def test_what_depends_on_a_failed_step_is_left_out_and_the_others_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nightly, "STEPS", steps(("a", bad, ""), ("b", good, "a"), ("c", good, "b"), ("d", good, "")))
    request = installable(tmp_path)
    with pytest.raises(Refusal, match=r"^a failed: the disk is full$"):
        nightly.run(request)
    noted = nightly.show(request)["nightly"]
    assert noted["ok"] is False
    assert {row["name"]: row["result"] for row in noted["steps"]} == {
        "a": "failed", "b": "skipped", "c": "skipped", "d": "done",
    }  # fmt: skip
    assert "sentinel_nightly_good 0\n" in (tmp_path / "marks" / "nightly.txt").read_text()


def test_nothing_is_removed_from_the_audit_log_before_a_good_backup_of_the_same_run() -> None:
    names = [step.name for step in nightly.STEPS]
    assert names.index("backup") < names.index("retention")
    assert next(step for step in nightly.STEPS if step.name == "retention").after == "backup"


def test_a_run_without_a_database_says_so_and_removes_nothing(run: Any, tmp_path: Path) -> None:
    done = run("nightly", "run", document=requests.write(installable(tmp_path)))
    assert done.returncode == 1 and done.stdout == ""
    assert "backup failed: no backup was taken: the Docker engine at /nowhere.sock did not answer" in done.stderr
    rows = json.loads((tmp_path / "product" / "nightly" / "nightly.json").read_text())["steps"]
    assert [row["result"] for row in rows[:3]] == ["failed", "skipped", "skipped"]


@pytest.mark.parametrize(
    ("verdict", "row", "metric"),
    [("possible", "done", "1"), ("not-possible", "failed", "0"), ("could-not-check", "skipped", "")],
)
def test_the_rollback_is_proven_and_only_a_verdict_is_a_metric(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verdict: str, row: str, metric: str
) -> None:
    sockets: list[str] = []

    def prove(handover: HandoverRequest) -> dict[str, Any]:
        sockets.append(handover.docker_socket)
        return {"result": verdict, "reason": "x is gone", "gates": []}

    monkeypatch.setattr(rollback_proof, "prove", prove)
    monkeypatch.setattr(nightly, "STEPS", tuple(step for step in nightly.STEPS if step.name == "rollback"))
    request = replace(installable(tmp_path), rollback=requests.write(REQUEST))
    if verdict == "not-possible":
        with pytest.raises(Refusal, match=r"^rollback failed: a rollback is not possible: x is gone$"):
            nightly.run(request)
    else:
        nightly.run(request)
    assert sockets == ["/nowhere.sock"]
    (found,) = nightly.show(request)["nightly"]["steps"]
    assert found["result"] == row and (found["reason"] == "") is (verdict == "possible")
    written = (tmp_path / "marks" / "nightly.txt").read_text()
    assert re.findall(r"^sentinel_rollback_possible (\d)$", written, re.MULTILINE) == [metric] * bool(metric)


def test_without_a_predecessor_the_step_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nightly, "STEPS", tuple(step for step in nightly.STEPS if step.name == "rollback"))
    (found,) = nightly.run(installable(tmp_path))["steps"]
    assert (found["result"], found["reason"]) == ("skipped", "no gateway ran before Sentinel")


def test_the_installation_counts_as_the_start_and_is_not_moved_by_another(run: Any, tmp_path: Path) -> None:
    document = requests.write(installable(tmp_path))
    assert run("nightly", "install", document=document).returncode == 0
    metrics = tmp_path / "marks" / "nightly.txt"
    (first,) = re.findall(r"^sentinel_nightly_installed_timestamp_seconds (\d+)$", metrics.read_text(), re.MULTILINE)
    assert abs(int(first) - time.time()) < 60
    target = json.loads((tmp_path / "marks" / "nightly.json").read_text())
    assert target == [{"targets": ["127.0.0.1:9090"], "labels": {"__metrics_path__": "/user/nightly.txt"}}]
    installed = (tmp_path / "product" / "nightly" / "installed.json").read_text()
    assert run("nightly", "install", document={**document, "docker_socket": "/elsewhere.sock"}).returncode == 0
    assert (tmp_path / "product" / "nightly" / "installed.json").read_text() == installed


KINDS = pytest.mark.parametrize("kind", ["script", "systemd", "cron"])


@KINDS
def test_what_is_installed_goes_again_and_leaves_the_host_as_it_was(tmp_path: Path, host: Host, kind: str) -> None:
    request = installable(tmp_path, kind)

    def theirs() -> dict[str, bytes]:
        files = [tmp_path / "nightly-db-backup.sh", *host.units.iterdir(), *host.cron.iterdir()]
        return {str(path): path.read_bytes() for path in files}

    before = theirs()
    nightly.install(request)
    made = theirs()
    assert made != before
    nightly.install(request)
    assert theirs() == made
    nightly.remove(request)
    nightly.remove(request)
    assert theirs() == before
    assert list((tmp_path / "marks").iterdir()) == []
    assert not (tmp_path / "product" / "nightly").exists()


def test_the_job_is_removed_while_it_runs_since_no_rollback_waits_for_it(run: Any, tmp_path: Path) -> None:
    document = requests.write(installable(tmp_path))
    assert run("nightly", "install", document=document).returncode == 0
    with held(document["folder"], "nightly run"):
        assert run("nightly", "remove", document=document).returncode == 0
    assert (tmp_path / "nightly-db-backup.sh").read_text() == SCRIPT


def test_another_scheduler_takes_the_former_ones_place(tmp_path: Path, host: Host) -> None:
    for kind in ("script", "cron", "systemd", "script"):
        nightly.install(installable(tmp_path, kind))
        found = {
            "script": "sentinel-cutover" in (tmp_path / "nightly-db-backup.sh").read_text(),
            "cron": bool(list(host.cron.iterdir())),
            "systemd": bool(list(host.units.iterdir())),
        }
        assert [name for name, there in found.items() if there] == [kind]
    assert host.calls() == [
        "daemon-reload",
        "enable --now sentinel-cutover-nightly.timer",
        "disable --now sentinel-cutover-nightly.timer",
        "daemon-reload",
    ]


@pytest.mark.parametrize("ends", [0, 1], ids=["good", "failed"])
def test_the_block_runs_the_job_first_and_the_script_as_before(tmp_path: Path, ends: int) -> None:
    request = installable(tmp_path)
    nightly.install(request)
    (tmp_path / "hostctl.pyz").write_text(
        "import json, pathlib, sys\n"
        f"pathlib.Path({str(tmp_path / 'seen')!r}).write_text(json.dumps([sys.argv[1:], json.load(sys.stdin)]))\n"
        f"print('an answer'); sys.exit({ends})\n"
    )
    done = subprocess.run(
        [str(tmp_path / "nightly-db-backup.sh")], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}
    )
    assert (done.returncode, done.stdout) == (0, "theirs\n")
    failed = f"sentinel-cutover: the nightly job failed in part: see {request.folder}/nightly.json\n"
    assert done.stderr == (failed if ends else "")
    argv, document = json.loads((tmp_path / "seen").read_text())
    assert argv == ["nightly", "run"] and document == requests.write(request)


def test_a_script_that_runs_itself_again_below_flock_runs_the_job_once(tmp_path: Path) -> None:
    """As flock(1) advises a script that only one process may run."""
    request = installable(tmp_path)
    script, seen = tmp_path / "nightly-db-backup.sh", tmp_path / "seen"
    boilerplate = '[ "${LOCKED-}" != "$0" ] && exec env LOCKED="$0" flock -en "$0" "$0" "$@" || :'
    script.write_text(f"#!/bin/sh\n{boilerplate}\necho theirs\n")
    nightly.install(request)
    (tmp_path / "hostctl.pyz").write_text(f"open({str(seen)!r}, 'a').write('run ')\n")
    for _ in range(2):
        done = subprocess.run([script], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
        assert (done.returncode, done.stdout, done.stderr) == (0, "theirs\n", "")
    assert seen.read_text() == "run run "


def test_a_block_that_is_not_the_one_of_the_preview_is_refused(tmp_path: Path) -> None:
    request = installable(tmp_path)
    nightly.install(replace(request, block=request.expected_block))
    with pytest.raises(Refusal, match="the 'block' of the preview does not match this program and folder"):
        nightly.install(replace(request, block="another"))


def test_a_script_that_is_not_there_is_refused_since_nobody_would_run_it(run: Any, tmp_path: Path) -> None:
    request = replace(installable(tmp_path), script=str(tmp_path / "gone.sh"))
    done = run("nightly", "install", document=requests.write(request))
    assert done.returncode == 1 and "set nightly.script to the script that your cron runs" in done.stderr
    assert not (tmp_path / "gone.sh").exists() and list((tmp_path / "marks").iterdir()) == []


def test_a_host_without_systemd_or_cron_is_refused_with_the_setting(run: Any, tmp_path: Path) -> None:
    request = replace(installable(tmp_path, "cron"), scheduler=Scheduler("cron", cron_folder=str(tmp_path / "none")))
    done = run("nightly", "install", document=requests.write(request))
    assert done.returncode == 1 and "set host.scheduler to what the host has" in done.stderr


def test_a_further_step_reaches_prometheus_by_what_it_notes(tmp_path: Path) -> None:
    request = installable(tmp_path)
    results.note(request, "token", {"result": "done", "reason": ""}, {"sentinel_token_days_left": 12.5})
    assert "# TYPE sentinel_token_days_left gauge\nsentinel_token_days_left 12.5\n" in results.exposition(request)


@pytest.mark.parametrize(
    ("line", "broken_line", "reason"),
    [("# <<< sentinel", "# <<< sentine", "marker"), ("#!/bin/sh", "#!/usr/bin/perl", "is not a shell script")],
    ids=["a broken marker", "no shell script any more"],
)
def test_a_script_that_holds_the_job_no_more_is_reported_by_a_rollback_and_repaired_later(
    tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch, line: str, broken_line: str, reason: str
) -> None:
    monkeypatch.setattr("sys.argv", [str(tmp_path / "hostctl.pyz")])
    request = installable(tmp_path)
    nightly.install(request)
    script = Path(request.script)
    whole = script.read_text()
    broken = whole.replace(line, broken_line)
    script.write_text(broken)
    code, out, err = ran(("nightly", "remove"), json.dumps(requests.write(request)))
    assert code == 0 and json.loads(out)["removed"] is False
    assert reason in err and "`make up` repairs it" in err and len(err.splitlines()) == 1
    assert script.read_text() == broken
    place = repair.FolderRequest(str(tmp_path))
    (left,) = repair.repair(place)["left"]
    assert left.startswith("nightly remove is still not done: ")
    script.write_text(whole)
    assert repair.repair(place) == {"done": ["nightly remove"], "left": []}
    assert script.read_text() == SCRIPT


@pytest.mark.parametrize("kind", ["cron", "systemd"])
@pytest.mark.parametrize("why", ["git tracks", "is run by operator"])
def test_a_script_that_cannot_run_the_job_is_left_alone_and_the_scheduler_does(
    tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch, kind: str, why: str
) -> None:
    script = tmp_path / "code" / "nightly.sh"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    if why == "git tracks":
        subprocess.run(["git", "init", "-q", str(script.parent)], check=True)
        subprocess.run(["git", "-C", str(script.parent), "add", "."], check=True)
    else:
        runner = script_runner.Runner("/var/spool/cron/crontabs/operator", "operator")
        monkeypatch.setattr(script_runner, "of", lambda _: runner)  # type: ignore[reportUnknownLambdaType]
    request = replace(installable(tmp_path, kind), script=str(script))
    installed = nightly.install(replace(request, block=request.expected_block))
    assert why in installed["reason"] and script.read_text() == SCRIPT
    assert host.files() == [name for name in host.files() if name.startswith("sentinel-cutover-nightly")] != []
    kept = nightly.kept_request(request.request_file)
    assert kept is not None and installer.problem(kept.job) == ""
    nightly.remove(request)
    assert host.files() == []
