"""The night: its steps, what they tell Prometheus, and what makes it run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from hostctl import nightly
from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.core.lock import held
from hostctl.nightly import Step, results, trigger
from hostctl.nightly.trigger import Trigger
from hostctl.schedule import systemd

SCRIPT = "#!/bin/sh\n# Theirs.\nset -eu\necho theirs\nexit 0\n"


def asked(tmp_path: Path, **trigger: str) -> dict[str, Any]:
    for name in ("marks", "units", "cron.d"):
        (tmp_path / name).mkdir(exist_ok=True)
    script = tmp_path / "nightly-db-backup.sh"
    if not script.exists():
        script.write_text(SCRIPT)
        script.chmod(0o755)
    return {
        "docker_socket": "/nowhere.sock",
        "folder": str(tmp_path / "product" / "nightly"),
        "program": str(tmp_path / "hostctl.pyz"),
        "backups": str(tmp_path / "backups"),
        "keep": {"daily": 7, "weekly": 4, "monthly": 6},
        "database": {"container": "sentinel-postgres", "role": "sentinel", "name": "sentinel", "uid": 999},
        "retention": {"days": 30, "batch_rows": 5000},
        "restore_drill": "weekly",
        "prometheus": {"folder": str(tmp_path / "marks"), "target": "127.0.0.1:9090"},
        "trigger": {
            "kind": "script",
            "script": str(script),
            "at": "03:17",
            "units": str(tmp_path / "units"),
            "entries": str(tmp_path / "cron.d"),
            **trigger,
        },
    }


def steps(*found: tuple[str, Any, str]) -> tuple[Step, ...]:
    return tuple(Step(name, run, after) for name, run, after in found)


def good(_: Document) -> dict[str, Any]:
    return {"result": "good"}


def bad(_: Document) -> dict[str, Any]:
    raise Refusal("the disk is full")


def test_what_stands_on_a_failed_step_is_left_out_and_the_rest_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nightly, "STEPS", steps(("a", bad, ""), ("b", good, "a"), ("c", good, "b"), ("d", good, "")))
    document = Document(asked(tmp_path))
    with pytest.raises(Refusal, match=r"^a failed: the disk is full$"):
        nightly.run(document)
    said = nightly.show(document)["night"]
    assert said["ok"] is False
    assert {row["name"]: row["result"] for row in said["steps"]} == {
        "a": "failed", "b": "skipped", "c": "skipped", "d": "done",
    }  # fmt: skip
    assert "sentinel_night_good 0\n" in (tmp_path / "marks" / "nightly.txt").read_text()


def test_nothing_is_removed_from_the_audit_log_before_a_good_backup_of_the_same_night() -> None:
    names = [step.name for step in nightly.STEPS]
    assert names.index("backup") < names.index("retention")
    assert next(step for step in nightly.STEPS if step.name == "retention").after == "backup"


def test_a_whole_night_without_a_database_says_so_and_removes_nothing(run: Any, tmp_path: Path) -> None:
    done = run("nightly", "run", document=asked(tmp_path))
    assert done.returncode == 1 and done.stdout == ""
    assert "backup failed: no backup was taken: the Docker engine at /nowhere.sock did not answer" in done.stderr
    rows = json.loads((tmp_path / "product" / "nightly" / "night.json").read_text())["steps"]
    assert [row["result"] for row in rows[:3]] == ["failed", "skipped", "skipped"]


def test_the_installation_counts_as_the_start_and_is_not_moved_by_another(run: Any, tmp_path: Path) -> None:
    document = asked(tmp_path)
    assert run("nightly", "install", document=document).returncode == 0
    metrics = tmp_path / "marks" / "nightly.txt"
    (first,) = re.findall(r"^sentinel_nightly_installed_timestamp_seconds (\d+)$", metrics.read_text(), re.MULTILINE)
    assert abs(int(first) - time.time()) < 60
    target = json.loads((tmp_path / "marks" / "nightly.json").read_text())
    assert target == [{"targets": ["127.0.0.1:9090"], "labels": {"__metrics_path__": "/user/nightly.txt"}}]
    installed = (tmp_path / "product" / "nightly" / "installed.json").read_text()
    assert run("nightly", "install", document={**document, "restore_drill": "off"}).returncode == 0
    assert (tmp_path / "product" / "nightly" / "installed.json").read_text() == installed


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A systemctl that writes down how it is called, and a host that systemd runs."""
    (tmp_path / "bin").mkdir()
    program, log = tmp_path / "bin" / "systemctl", tmp_path / "systemctl.log"
    program.write_text(f'#!/bin/sh\necho "$@" >> {log}\n')
    program.chmod(0o755)
    log.touch()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr(systemd, "RUNS", str(tmp_path))
    return log


@pytest.mark.parametrize("kind", ["script", "systemd", "cron"])
def test_what_is_installed_goes_again_and_leaves_the_host_as_it_was(tmp_path: Path, called: Path, kind: str) -> None:
    document = asked(tmp_path, kind=kind)

    def theirs() -> dict[str, bytes]:
        folders = [tmp_path / "nightly-db-backup.sh", *(tmp_path / "units").iterdir(), *(tmp_path / "cron.d").iterdir()]
        return {str(path): path.read_bytes() for path in folders}

    before = theirs()
    nightly.install(Document(document))
    made = theirs()
    assert made != before
    nightly.install(Document(document))
    assert theirs() == made
    nightly.remove(Document(document))
    nightly.remove(Document(document))
    assert theirs() == before
    assert list((tmp_path / "marks").iterdir()) == []
    assert not (tmp_path / "product" / "nightly").exists()


def test_the_job_is_removed_while_a_night_runs_since_no_rollback_waits_for_one(run: Any, tmp_path: Path) -> None:
    document = asked(tmp_path)
    assert run("nightly", "install", document=document).returncode == 0
    with held(document["folder"], "nightly run"):
        assert run("nightly", "remove", document=document).returncode == 0
    assert (tmp_path / "nightly-db-backup.sh").read_text() == SCRIPT


def test_another_trigger_takes_the_former_ones_place(tmp_path: Path, called: Path) -> None:
    for kind in ("script", "cron", "systemd", "script"):
        nightly.install(Document(asked(tmp_path, kind=kind)))
        found = {
            "script": "sentinel-cutover" in (tmp_path / "nightly-db-backup.sh").read_text(),
            "cron": bool(list((tmp_path / "cron.d").iterdir())),
            "systemd": bool(list((tmp_path / "units").iterdir())),
        }
        assert [name for name, there in found.items() if there] == [kind]
    assert called.read_text().splitlines() == [
        "daemon-reload",
        "enable --now sentinel-cutover-nightly.timer",
        "disable --now sentinel-cutover-nightly.timer",
        "daemon-reload",
    ]


@pytest.mark.parametrize("night_ends", [0, 1], ids=["good", "failed"])
def test_the_block_runs_the_night_first_and_the_script_as_before(tmp_path: Path, night_ends: int) -> None:
    document = asked(tmp_path)
    nightly.install(Document(document))
    (tmp_path / "hostctl.pyz").write_text(
        "import json, pathlib, sys\n"
        f"pathlib.Path({str(tmp_path / 'seen')!r}).write_text(json.dumps([sys.argv[1:], json.load(sys.stdin)]))\n"
        f"print('an answer'); sys.exit({night_ends})\n"
    )
    done = subprocess.run(
        [str(tmp_path / "nightly-db-backup.sh")], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}
    )
    assert (done.returncode, done.stdout) == (0, "theirs\n")
    assert done.stderr == (
        f"sentinel-cutover: the night was not whole: see {document['folder']}/night.json\n" if night_ends else ""
    )
    words, given = json.loads((tmp_path / "seen").read_text())
    assert words == ["nightly", "run"] and given == document


def test_a_script_that_is_not_there_is_refused_since_nobody_would_run_it(run: Any, tmp_path: Path) -> None:
    document = asked(tmp_path, script=str(tmp_path / "gone.sh"))
    done = run("nightly", "install", document=document)
    assert done.returncode == 1 and "set nightly.script to the script that your cron runs" in done.stderr
    assert not (tmp_path / "gone.sh").exists() and list((tmp_path / "marks").iterdir()) == []


def test_a_host_without_systemd_or_cron_is_told_what_else_there_is(run: Any, tmp_path: Path) -> None:
    done = run("nightly", "install", document=asked(tmp_path, kind="cron", entries=str(tmp_path / "none")))
    assert done.returncode == 1 and "set nightly.trigger to systemd" in done.stderr
    if not os.path.isdir("/run/systemd/system"):
        done = run("nightly", "install", document=asked(tmp_path, kind="systemd"))
        assert done.returncode == 1 and "systemd does not run this host" in done.stderr


def test_crons_entry_is_at_the_hosts_own_time_and_escapes_what_cron_would_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = Trigger.of(Document({**asked(tmp_path, kind="cron"), "folder": "/var/100%/nightly"}))
    monkeypatch.setenv("TZ", "EST5")
    time.tzset()
    try:
        *_, line = trigger.entry(trigger, 1_800_000_000).splitlines()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert line.startswith("17 22 * * * ") and "/var/100\\%/nightly/asked.json" in line


def test_the_units_are_what_systemd_takes(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not on this machine")
    for name, text in trigger.units(Trigger.of(Document(asked(tmp_path)))).items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [program, "verify", "--man=no", str(tmp_path / f"{trigger.NAME}.timer")], capture_output=True, text=True
    )
    complaints = [line for line in done.stderr.splitlines() if trigger.NAME in line]
    assert complaints == []
    assert (tmp_path / f"{trigger.NAME}.timer").read_text().count("OnCalendar=*-*-* 03:17:00 UTC") == 1


def test_a_further_step_of_the_night_reaches_prometheus_by_what_it_notes(tmp_path: Path) -> None:
    document = Document(asked(tmp_path))
    results.note(document, "token", {"result": "done", "reason": ""}, {"sentinel_token_days_left": 12.5})
    assert "# TYPE sentinel_token_days_left gauge\nsentinel_token_days_left 12.5\n" in results.exposition(document)
