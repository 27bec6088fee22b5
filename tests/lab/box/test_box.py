"""The box starts whole, heals after any kill, and leaves nothing: the lab's own promises."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest

from console.progress import Progress
from lab import box as vps
from lab.box import Box, Place, cgroups, facts, network, processes
from lab.box.facts import Process

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]

Connect = Callable[[Box], docker.DockerClient]
ROOT = Path(__file__).resolve().parents[3]
UP = (
    "import sys; from pathlib import Path; from lab import box; from console.progress import Progress; "
    "box.up(box.Place(Path(sys.argv[1])), Progress(Path(sys.argv[1], 'log')))"
)

MOMENTS: dict[str, Callable[[Place], bool]] = {
    "before anything": lambda place: place.lock.exists(),
    "first folder": lambda place: place.folder.exists(),
    "namespace made": lambda place: network.namespace(place.vps).exists(),
    "cable laid": network.standing,
    "keys made": lambda place: (place.ssh / "known_hosts").exists(),
    "sshd started": lambda place: (place.run / "sshd.pid").exists(),
    "dockerd started": lambda place: (place.run / "docker").exists(),
    "containerd started": lambda place: (place.run / "docker" / "containerd" / "containerd.sock").exists(),
    "socket there": lambda place: place.docker_socket.exists(),
    "record written": lambda place: place.facts.exists(),
}
"""The traces that are seen from outside, in the order in which `up` brings it about."""


def inside(name: str, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        network.inside(name, command), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


def ssh_from_outside(place: Place, box: Box, *command: str) -> subprocess.CompletedProcess[str]:
    options = ["-F", "none", "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={place.ssh / 'known_hosts'}"]
    options += ["-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes"]
    return inside(box.wan, "ssh", *options, "-i", box.ssh.key, f"{box.ssh.user}@{box.ssh.address}", *command)


def killed_up(place: Place, reached: Callable[[Place], bool]) -> None:
    """`up` in a process of its own, killed hard at that moment."""
    run = subprocess.Popen([sys.executable, "-c", UP, str(place.root)], cwd=ROOT, stderr=subprocess.DEVNULL)
    while not reached(place) and run.poll() is None:
        time.sleep(0.001)
    run.kill()
    run.wait()


def test_down_leaves_the_machine_as_it_was(
    place: Place, progress: Progress, daemon_of: Connect, machine_now: Callable[[], object]
) -> None:
    before = machine_now()
    box = vps.up(place, progress)
    client = daemon_of(box)
    client.networks.create("own")
    client.containers.run(
        "tiny:1", ["/bin/sleep", "600"], detach=True, network="own", ports={"9200/tcp": ("127.0.0.1", 9200)}
    )
    client.containers.run("tiny:1", ["/bin/sleep", "600"], detach=True).pause()
    assert machine_now() != before
    vps.down(place, progress)
    assert vps.orphans(place) == []
    assert machine_now() == before


@pytest.mark.parametrize("moment", MOMENTS)
def test_down_leaves_nothing_of_an_up_that_was_killed(
    moment: str, place: Place, progress: Progress, machine_now: Callable[[], object]
) -> None:
    before = machine_now()
    killed_up(place, MOMENTS[moment])
    vps.down(place, progress)
    assert vps.orphans(place) == []
    assert machine_now() == before


@pytest.mark.parametrize("moment", MOMENTS)
def test_up_heals_an_up_that_was_killed(moment: str, place: Place, progress: Progress) -> None:
    killed_up(place, MOMENTS[moment])
    box = vps.up(place, progress)
    assert vps.status(place).stands
    recorded = {process.pid for process in box.processes}
    daemons = [pid for pid in cgroups.members(place) if processes.command_line(pid).startswith("dockerd ")]
    assert len(daemons) == 1 and daemons[0] in recorded


def test_down_leaves_nothing_after_dockerd_was_killed(
    place: Place, progress: Progress, daemon_of: Connect, machine_now: Callable[[], object]
) -> None:
    before = machine_now()
    box = vps.up(place, progress)
    daemon_of(box).containers.run("tiny:1", ["/bin/sleep", "600"], detach=True)
    os.kill(next(process.pid for process in box.processes if process.name == "dockerd"), signal.SIGKILL)
    vps.down(place, progress)
    assert machine_now() == before


def test_up_starts_a_killed_dockerd_again_with_its_containers(
    place: Place, progress: Progress, daemon_of: Connect
) -> None:
    box = vps.up(place, progress)
    always: Any = {"Name": "unless-stopped"}
    daemon_of(box).containers.run("tiny:1", ["/bin/sleep", "600"], name="kept", detach=True, restart_policy=always)
    os.kill(next(process.pid for process in box.processes if process.name == "dockerd"), signal.SIGKILL)
    again = vps.up(place, progress)
    assert daemon_of(again).containers.get("kept").status == "running"


def test_a_second_up_changes_nothing(place: Place, progress: Progress) -> None:
    first = vps.up(place, progress)
    assert vps.up(place, progress) == first


def test_two_ups_at_once_make_one_box(place: Place, progress: Progress) -> None:
    boxes: list[Box] = []
    runs = [threading.Thread(target=lambda: boxes.append(vps.up(place, progress))) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(boxes) == 2 and boxes[0] == boxes[1]


def test_a_recycled_pid_is_never_killed(place: Place, progress: Progress) -> None:
    box = vps.up(place, progress)
    bystander = subprocess.Popen(["sleep", "600"])
    try:
        started = processes.start_ticks(bystander.pid)
        assert started is not None
        recycled = Process(name="dockerd", pid=bystander.pid, started=started - 1)
        facts.write(place.facts, box.model_copy(update={"processes": (*box.processes, recycled)}))
        vps.down(place, progress)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_reboot_keeps_files_and_loses_what_lives_in_memory(
    place: Place, progress: Progress, daemon_of: Connect
) -> None:
    box = vps.up(place, progress)
    client = daemon_of(box)
    always: Any = {"Name": "unless-stopped"}
    client.containers.run("tiny:1", ["/bin/sleep", "600"], name="kept", detach=True, restart_policy=always)
    client.containers.run("tiny:1", ["/bin/sleep", "600"], name="once", detach=True)
    inside(box.vps, "iptables", "-A", "INPUT", "-p", "tcp", "--dport", "4242", "-j", "DROP")
    assert "4242" in inside(box.vps, "iptables-save").stdout
    (Path(box.home) / "note").write_text("stays")
    (place.run / "note").write_text("goes")

    again = vps.reboot(place, progress)

    assert not {process.pid for process in box.processes} & {process.pid for process in again.processes}
    assert "4242" not in inside(again.vps, "iptables-save").stdout
    assert (Path(again.home) / "note").read_text() == "stays"
    assert not (place.run / "note").exists()
    states = {container.name: container.status for container in daemon_of(again).containers.list(all=True)}
    assert states == {"kept": "running", "once": "exited"}


def test_ssh_from_outside_reaches_docker_and_python(place: Place, progress: Progress) -> None:
    box = vps.up(place, progress)
    said = ssh_from_outside(
        place, box, "docker info --format '{{.DockerRootDir}}'; python3 -c 'print(6 * 7)'; pwd; echo $HOME"
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout.split()[0] == str(place.docker_data)
    assert said.stdout.split()[1] == "42"
    assert said.stdout.split()[3] == box.home


def test_ssh_offers_nothing_but_keys(place: Place, progress: Progress) -> None:
    box = vps.up(place, progress)
    options = ["-F", "none", "-o", "BatchMode=yes", "-o", "PubkeyAuthentication=no"]
    options += ["-o", f"UserKnownHostsFile={place.ssh / 'known_hosts'}"]
    said = inside(box.wan, "ssh", *options, f"{box.ssh.user}@{box.ssh.address}", "true")
    assert said.returncode != 0
    assert "Permission denied (publickey)" in said.stderr


def test_the_vps_is_seen_from_outside_and_not_from_the_machine(place: Place, progress: Progress) -> None:
    """Recognized by the host's key: something else may well answer at that address on the machine's own network."""
    box = vps.up(place, progress)
    scan = ["ssh-keyscan", "-T", "2", "-t", "ed25519"]
    addresses = [network.VPS.ipv4, *([network.VPS.ipv6] if network.has_ipv6() else [])]
    for address in addresses:
        assert box.ssh.host_key in inside(box.wan, *scan, address).stdout
        here = subprocess.run([*scan, address], capture_output=True, text=True, check=False)
        assert box.ssh.host_key not in here.stdout


def test_the_lock_names_its_holder(place: Place, progress: Progress) -> None:
    from lab.box import lock

    with lock.held(place.lock, "lab up", progress.line):
        owner = json.loads(place.lock.read_text())
        assert (owner["pid"], owner["reason"]) == (os.getpid(), "lab up")
        assert f'process {os.getpid()}, at "lab up" since ' in lock.describe(place.lock)


def test_docker_rotates_its_logs_as_on_the_vps(place: Place, progress: Progress, daemon_of: Connect) -> None:
    box = vps.up(place, progress)
    made = daemon_of(box).containers.create("tiny:1", ["/bin/sleep", "1"])
    assert made.attrs["HostConfig"]["LogConfig"] == {
        "Type": "json-file",
        "Config": {"max-file": "3", "max-size": "10m"},
    }
