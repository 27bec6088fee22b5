"""The look at Docker's statistics: what a timer runs, whose memory is whose, and what is file cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hostctl import resources
from hostctl.core.errors import Refusal
from hostctl.resources import process_memory
from hostctl.schedule import every_minute, systemd

TIMER = every_minute.Timer("sentinel-resources", "memory and CPU", "/srv/hostctl.pyz", "resources", "/srv/asked.json")
SLEEPS = "import sys,time; print('up', flush=True); time.sleep(600)"


@pytest.fixture
def unit_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Systemd's and cron's folders in a folder of the test's own; systemctl notes what it is asked."""
    for name in ("units", "cron", "running"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(every_minute, "UNITS", str(tmp_path / "units"))
    monkeypatch.setattr(every_minute, "CRON", str(tmp_path / "cron"))
    monkeypatch.setattr(systemd, "RUNS", str(tmp_path / "running"))
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def test_a_systemd_timer_is_made_enabled_and_left_alone_the_second_time(unit_folders: Path) -> None:
    assert every_minute.keep(TIMER, "systemd") is True
    service = (unit_folders / "units" / "sentinel-resources.service").read_text()
    assert "StandardInput=file:/srv/asked.json\n" in service
    assert 'from hostctl import resources; resources.alone()" "/srv/hostctl.pyz"\n' in service
    assert "enable --now sentinel-resources.timer" in (unit_folders / "asked").read_text()
    assert every_minute.keep(TIMER, "systemd") is False


def test_another_trigger_takes_the_former_ones_files_away(unit_folders: Path) -> None:
    every_minute.keep(TIMER, "systemd")
    assert every_minute.keep(TIMER, "cron") is True
    assert os.listdir(unit_folders / "units") == []
    line = (unit_folders / "cron" / "sentinel-resources").read_text().splitlines()[-1]
    assert line.startswith("* * * * * root python3 -I -S -c ")
    assert line.endswith('"/srv/hostctl.pyz" < "/srv/asked.json" > /dev/null')
    assert "disable --now sentinel-resources.timer" in (unit_folders / "asked").read_text()
    assert every_minute.keep(TIMER, "none") is True
    assert os.listdir(unit_folders / "cron") == []


def test_what_was_made_is_forgotten_and_nothing_else(unit_folders: Path) -> None:
    other = unit_folders / "cron" / "theirs"
    other.write_text("theirs")
    every_minute.keep(TIMER, "cron")
    assert every_minute.forget(TIMER) == [str(unit_folders / "cron" / "sentinel-resources")]
    assert every_minute.forget(TIMER) == []
    assert other.read_text() == "theirs"


def test_the_line_of_the_timer_runs_the_look_out_of_the_archive(unit_folders: Path, archive: Path) -> None:
    """As far as it gets without Docker; its error is one sentence that links to the runbook."""
    asked = unit_folders / "asked.json"
    asked.write_text(json.dumps({"docker_socket": "/nowhere", "file": "/nowhere/file", "target_mb": 100}))
    every_minute.keep(every_minute.Timer("sentinel-resources", "memory", str(archive), "resources", str(asked)), "cron")
    line = (unit_folders / "cron" / "sentinel-resources").read_text().splitlines()[-1]
    done = subprocess.run(["sh", "-c", line.partition(" root ")[2]], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("hostctl resources write: the Docker engine at /nowhere did not answer")
    assert done.stderr.rstrip().endswith("(docs/runbook.md#hostctl-resources-write)")


@pytest.mark.parametrize(("trigger", "folder"), [("systemd", "running"), ("cron", "cron")])
def test_a_host_without_the_trigger_is_refused_and_told_what_to_set(
    unit_folders: Path, trigger: str, folder: str
) -> None:
    (unit_folders / folder).rmdir()
    with pytest.raises(Refusal, match="set the trigger to "):
        every_minute.keep(TIMER, trigger)


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[int]:
    """As in Sentinel's container: init, bridge, gateway, a backend; the first one's pid."""
    gateway = tmp_path / "sentinel-gateway"
    gateway.write_text(
        f'#!{sys.executable}\nimport subprocess, sys\nsubprocess.run([sys.executable, "-c", {SLEEPS!r}])\n'
    )
    gateway.chmod(0o755)
    bridge = f"import subprocess; subprocess.run([{str(gateway)!r}])"
    init = subprocess.Popen(
        [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {bridge!r}])"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert init.stdout and init.stdout.readline() == "up\n"
    yield init.pid
    os.killpg(init.pid, 9)
    init.wait(10)


def test_bridge_and_gateway_are_told_apart_from_init_and_backends(tree: int) -> None:
    (bridge,) = process_memory.children(tree)
    (gateway,) = process_memory.children(bridge)
    (backend,) = process_memory.children(gateway)
    found = process_memory.of_bridge_and_gateway(tree)
    assert found == {"bridge": process_memory.resident(bridge), "gateway": process_memory.resident(gateway)}
    assert all(size > 1024 * 1024 for size in found.values())
    assert process_memory.resident(backend) > 0


def test_a_gateway_that_is_the_first_process_has_no_bridge(tree: int) -> None:
    (bridge,) = process_memory.children(tree)
    (gateway,) = process_memory.children(bridge)
    assert set(process_memory.of_bridge_and_gateway(gateway)) == {"gateway"}


def test_where_no_gateway_can_be_seen_nothing_is_told() -> None:
    assert process_memory.of_bridge_and_gateway(0) == {}
    assert process_memory.resident(2**22 + 1) == 0


@pytest.mark.parametrize(
    ("memory", "bytes_"),
    [
        ({"usage": 100, "stats": {"inactive_file": 30}}, 30),
        ({"usage": 100, "stats": {"total_inactive_file": 20}}, 20),
        ({"usage": 100, "stats": {}}, 0),
        ({"usage": 10, "stats": {"inactive_file": 30}}, 10),
    ],
    ids=["cgroup-2", "cgroup-1", "none", "more-than-all"],
)
def test_file_cache_is_taken_off_as_docker_stats_does(memory: dict[str, object], bytes_: int) -> None:
    assert resources.droppable(memory) == bytes_


def test_what_was_kept_is_forgotten_with_its_file(tmp_path: Path, unit_folders: Path) -> None:
    folder, file = tmp_path / "resources", tmp_path / "resources.txt"
    folder.mkdir()
    (folder / "asked.json").write_text(json.dumps({}))
    file.write_text("x 1\n")
    values = {"folder": str(folder), "file": str(file), "program": "/srv/hostctl.pyz"}
    answer = resources.forget(resources.Document(values))
    assert not folder.exists() and not file.exists()
    assert answer == {"removed": [str(file), str(folder / "asked.json")]}
    assert resources.forget(resources.Document(values)) == {"removed": []}
