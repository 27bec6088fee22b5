"""The archive under test, and a host with a real Docker engine: the lab's box, or what HOSTCTL_TEST_HOST names.

HOSTCTL_TEST_HOST=SOCKET,NAMESPACE is for an engine outside the lab: its socket's path and its network namespace's name.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hostctl.build import build
from lab.box import Box
from tests.hostctl.handover_host import Host, make_image


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "hostctl.pyz"
    build(str(path))
    return path


@pytest.fixture(scope="session")
def box(request: pytest.FixtureRequest) -> dict[str, str]:
    """{"docker_socket", "vps"} of the host to test on."""
    named = os.environ.get("HOSTCTL_TEST_HOST", "")
    if named:
        socket, namespace = named.split(",")
        return {"docker_socket": socket, "vps": namespace}
    running: Box = request.getfixturevalue("lab_box")
    return {"docker_socket": running.docker_socket, "vps": running.vps}


@pytest.fixture(scope="session")
def docker_socket(box: dict[str, str]) -> str:
    return box["docker_socket"].removeprefix("unix://")


@pytest.fixture(scope="session")
def in_host_namespace(box: dict[str, str]) -> list[str]:
    """What stands before a command so that it runs on the host."""
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
def run(archive: Path) -> Any:
    """Run the archive as the host does: `run(verb, action, document)` gives the finished process."""

    def _run(*words: str, document: object = None, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", "-S", str(archive), *words],
            input=document if isinstance(document, str) else json.dumps(document),
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
            timeout=120,
        )

    return _run
