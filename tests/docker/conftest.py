"""The archive under test, and a host with a real Docker engine: a bare box, or what HOSTCTL_TEST_HOST names.

HOSTCTL_TEST_HOST=SOCKET,NAMESPACE is for an engine outside the lab: its socket's path and its network namespace's name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.progress import Progress
from lab import box as vps
from lab.box import Box, Place
from lab.real import newer_docker
from tests.archive import archive, run
from tests.docker.handover_host import NEWER, THIS_MACHINES, Host, make_image

__all__ = ["archive", "run"]


@pytest.fixture(scope="session")
def box(
    request: pytest.FixtureRequest, progress: Progress, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """{"docker_socket", "vps"} of the host to test on."""
    if getattr(request, "param", THIS_MACHINES) == NEWER:
        place = Place(tmp_path_factory.mktemp("box"), newer_docker.root(progress))
        try:
            running = vps.up(place, progress)
            yield {"docker_socket": running.docker_socket, "vps": running.vps}
        finally:
            vps.down(place, progress)
        return
    named = os.environ.get("HOSTCTL_TEST_HOST", "")
    if named:
        socket, namespace = named.split(",")
        yield {"docker_socket": socket, "vps": namespace}
        return
    bare: Box = request.getfixturevalue("bare_box")
    yield {"docker_socket": bare.docker_socket, "vps": bare.vps}


@pytest.fixture(scope="session")
def docker_socket(box: dict[str, str]) -> str:
    return box["docker_socket"].removeprefix("unix://")


@pytest.fixture(scope="session")
def in_host_namespace(box: dict[str, str]) -> list[str]:
    """The command prefix that makes a program run on the host."""
    return ["nsenter", f"--net=/var/run/netns/{box['vps']}"]


@pytest.fixture(scope="session")
def image(docker_socket: str) -> str:
    return make_image(docker_socket)


@pytest.fixture(scope="module")
def host(
    docker_socket: str,
    in_host_namespace: list[str],
    image: str,
    archive: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    """ContextForge's stand-in on the port, two Sentinel containers beside it; removed afterwards."""
    found = Host(docker_socket, in_host_namespace, image, archive, tmp_path_factory.mktemp("host"))
    try:
        found.make()
        yield found
    finally:
        found.remove()


@pytest.fixture
def starts_with_contextforge(host: Host) -> None:
    """Every test starts with ContextForge on the port as it was recorded, and with one Sentinel beside it."""
    for name in [name for name in host.ids if name not in ("forge", "database", "sentinel")]:
        host.remove_container(name)
    host.handover("rollback")
    assert host.who_answers() == "forge"
