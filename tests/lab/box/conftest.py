"""A running box for the tests that act on a VPS, and one-shot boxes for the tests of the box itself."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from console.progress import Progress
from lab import box as vps
from lab.box import Box, Place

PROGRAMS = ("/bin/sleep", "/bin/cat")


@pytest.fixture(scope="session")
def box(bare_box: Box) -> Box:
    return bare_box


@pytest.fixture
def place(tmp_path: Path, progress: Progress) -> Iterator[Place]:
    """A place of the test's own; whatever the test left there is taken down, and nothing may remain."""
    own = Place(tmp_path)
    yield own
    vps.down(own, progress)
    assert vps.orphans(own) == []


@pytest.fixture
def daemon_of() -> Iterator[Callable[[Box], docker.DockerClient]]:
    """Clients of boxes' daemons with the image `tiny:1` loaded: this machine's own `sleep` and `cat`."""
    clients: list[docker.DockerClient] = []

    def connect(box: Box) -> docker.DockerClient:
        client: Any = docker.DockerClient(base_url=f"unix://{box.docker_socket}")
        clients.append(client)
        if not client.images.list(name="tiny:1"):
            client.api.import_image_from_data(tiny_root(), repository="tiny", tag="1")
        return client

    yield connect
    for client in clients:
        client.close()


def tiny_root() -> bytes:
    """A root file system of two programs and the libraries that they need."""
    needed = {Path(program) for program in PROGRAMS}
    for program in PROGRAMS:
        listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        needed.update(Path(name) for name in re.findall(r"(/\S+) \(0x", listed))
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", dereference=True) as tar:
        for file in sorted(needed):
            tar.add(file, arcname=str(file).lstrip("/"))
    return stream.getvalue()


@pytest.fixture
def machine_now(place: Place) -> Callable[[], dict[str, object]]:
    """Everything in which a box may leave no trace, as it is now. Other labs of this machine may come and go."""
    return lambda: machine(place)


def machine(place: Place) -> dict[str, object]:
    def other(name: str) -> bool:
        """Names that other labs and daemons of this machine may make and remove meanwhile."""
        marks = ("sentinel-", "/.lab/", "/overlay2/", "/netns/")
        return any(mark in name for mark in marks) and place.id not in name and str(place.root) not in name

    def of_place(process: Path) -> bool:
        """By command line and cgroup, which is not how the lab finds its processes after a restart."""
        try:
            if (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return False
            text = (process / "cmdline").read_text(errors="replace") + (process / "cgroup").read_text()
        except OSError:
            return False
        return place.name in text or str(place.folder) in text

    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    folders = [Path("/run"), Path("/run/netns"), Path("/run/docker")]
    rules = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    points = sorted(line.split()[4] for line in mounts)
    return {
        "mounts": [point for point in points if not other(point)],
        "folders": {
            str(folder): sorted(one.name for one in folder.iterdir() if not other(one.name))
            for folder in folders
            if folder.exists()
        },
        "cgroups": sorted(str(one) for one in Path("/sys/fs/cgroup").glob("*/*/") if not other(one.name)),
        "processes": sorted(process.name for process in Path("/proc").glob("[0-9]*") if of_place(process)),
        "iptables": re.sub(r"#.*|\[\d+:\d+\]", "", rules),
        "interfaces": re.findall(r"^\d+: ([^:@]+)", links, re.M),
    }
