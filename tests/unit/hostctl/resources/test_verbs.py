"""The reading of Docker's statistics: the job that runs it, whose memory is whose, and what is file cache."""

from __future__ import annotations

import getpass
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hostctl import resources
from hostctl.core import requests
from hostctl.resources import ResourcesRequest, process_memory
from hostctl.schedule import installer
from hostctl.schedule.job import Scheduler

SLEEPS = "import sys,time; print('up', flush=True); time.sleep(600)"


def request(tmp_path: Path, program: str = "/srv/hostctl.pyz") -> ResourcesRequest:
    (tmp_path / "cron.d").mkdir(exist_ok=True)
    scheduler = Scheduler("cron", str(tmp_path), str(tmp_path / "cron.d"))
    folder, file = str(tmp_path / "resources"), str(tmp_path / "resources.txt")
    return ResourcesRequest(folder, program, file, 100, scheduler, "/nowhere")


def test_the_line_of_the_job_runs_the_reading_out_of_the_archive(tmp_path: Path, archive: Path) -> None:
    """As far as it gets without Docker; its error is one sentence that links to the runbook."""
    found = request(tmp_path, str(archive))
    Path(found.folder).mkdir()
    Path(found.job.request_file).write_text(json.dumps(requests.write(found)))
    installer.install(found.job)
    line = Path(found.job.place).read_text().splitlines()[-1]
    command = line.partition(f" {getpass.getuser()} ")[2]
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("hostctl resources write: the Docker engine at /nowhere did not answer")
    assert done.stderr.rstrip().endswith("(docs/runbook.md#hostctl-resources-write)")


def test_each_disk_has_its_free_share_and_a_folder_to_come_counts_as_the_one_above_it(tmp_path: Path) -> None:
    disk = os.statvfs(tmp_path)
    found = resources.disks({"product": str(tmp_path), "backups": str(tmp_path / "not" / "yet"), "none": ""})
    assert set(found) == {"product", "backups"}
    assert found["backups"] == pytest.approx(disk.f_bavail / disk.f_blocks, abs=0.05)


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[int]:
    """As in Sentinel's container: init, bridge, two gateways with a backend each; the first one's pid."""
    gateway = tmp_path / "sentinel-gateway"
    gateway.write_text(
        f'#!{sys.executable}\nimport subprocess, sys\nsubprocess.run([sys.executable, "-c", {SLEEPS!r}])\n'
    )
    gateway.chmod(0o755)
    bridge = f"import subprocess; second = subprocess.Popen([{str(gateway)!r}]); subprocess.run([{str(gateway)!r}])"
    init = subprocess.Popen(
        [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {bridge!r}])"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert init.stdout and init.stdout.read(len("up\n") * 2).count("up") == 2
    yield init.pid
    os.killpg(init.pid, 9)
    init.wait(10)


def test_bridge_and_gateway_are_distinguished_from_init_and_backends(tree: int) -> None:
    (bridge,) = process_memory.children(tree)
    gateways = process_memory.children(bridge)
    assert len(gateways) == 2
    (backend,) = process_memory.children(gateways[0])
    found = process_memory.of_bridge_and_gateway(tree)
    both = sum(process_memory.resident(gateway) for gateway in gateways)
    assert found == {"bridge": process_memory.resident(bridge), "gateway": both}
    assert all(size > 1024 * 1024 for size in found.values())
    assert process_memory.resident(backend) > 0


def test_a_gateway_that_is_the_first_process_has_no_bridge(tree: int) -> None:
    (bridge,) = process_memory.children(tree)
    gateway, _ = process_memory.children(bridge)
    assert set(process_memory.of_bridge_and_gateway(gateway)) == {"gateway"}


def test_where_no_gateway_can_be_seen_nothing_is_reported() -> None:
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


def test_what_was_kept_is_forgotten_with_its_file(tmp_path: Path) -> None:
    found = request(tmp_path)
    folder, file = Path(found.folder), Path(found.file)
    folder.mkdir()
    (folder / "request.json").write_text(json.dumps({}))
    file.write_text("x 1\n")
    installer.install(found.job)
    assert resources.forget(found) == {"removed": [found.job.place, str(file), str(folder / "request.json")]}
    assert not folder.exists() and not file.exists()
    assert resources.forget(found) == {"removed": []}
