"""The contract suite's world: the plugins under test, a Docker daemon, an ssh server of its own.

Owns: finding or making each, and removing what the suite made, by its prefix.
Deliberately does not: touch anything else on that daemon.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import contract_image
import pytest
from contract_engine import ROOT, Stack
from contract_subjects import Daemon, NewStack, Plugins, SshServer
from docker import APIClient

from lab.box import Box

VERSIONS = {"docker": "5.2.0", "command": "1.2.1"}


@pytest.fixture(scope="session")
def daemon(request: pytest.FixtureRequest) -> Iterator[Daemon]:
    """The daemon of PLUGIN_TEST_DOCKER_HOST, or that of a bare box."""
    address = os.environ.get("PLUGIN_TEST_DOCKER_HOST")
    if address is None:
        running: Box = request.getfixturevalue("bare_box")
        address = running.docker_host
    api: Any = APIClient(base_url=address, version="auto")
    prefix = f"ct{secrets.token_hex(3)}"
    tags = (f"{prefix}/shell:one", f"{prefix}/shell:two")
    for tag in tags:
        api.import_image_from_data(contract_image.archive(tag), repository=tag.split(":")[0], tag=tag.split(":")[1])
    yield Daemon(address, api, prefix, tags)
    _remove_all(api, prefix)
    api.close()


@pytest.fixture(scope="session")
def plugins(tmp_path_factory: pytest.TempPathFactory, daemon: Daemon) -> Plugins:
    """The plugins of `PLUGINS_UNDER_TEST`, or the lab's doubles freshly installed."""
    home = tmp_path_factory.mktemp("pulumi-home")
    given = os.environ.get("PLUGINS_UNDER_TEST")
    if given is None:
        install = [sys.executable, "-m", "lab.doubles.plugins", "install", str(home), "--docker-host", daemon.address]
        subprocess.run([*install, "--ssh-host", "127.0.0.1"], check=True, cwd=ROOT, capture_output=True)
        return Plugins(home, doubles=True)
    for name, version in VERSIONS.items():
        folder = home / "plugins" / f"resource-{name}-v{version}"
        folder.mkdir(parents=True)
        shutil.copy2(Path(given, f"pulumi-resource-{name}"), folder)
    return Plugins(home, doubles=False)


@pytest.fixture(scope="module")
def new_stack(tmp_path_factory: pytest.TempPathFactory, plugins: Plugins, daemon: Daemon) -> Iterator[NewStack]:
    """Makes stacks that are destroyed when the module's tests are over."""
    made: list[Stack] = []

    def make(**environment: str) -> Stack:
        known = {"DOCKER_HOST": daemon.address} | environment
        made.append(Stack(tmp_path_factory.mktemp("stack") / "stack", plugins.home, known))
        return made[-1]

    yield make
    for stack in made:
        stack.destroy()


@pytest.fixture(scope="session")
def ssh_server(tmp_path_factory: pytest.TempPathFactory, daemon: Daemon) -> Iterator[SshServer]:
    """A server of our own on loopback, with a key made on the spot, that lets no variable in."""
    with _sshd(tmp_path_factory.mktemp("sshd"), daemon, {"Subsystem": "sftp internal-sftp"}) as server:
        yield server


@pytest.fixture(scope="session")
def ssh_server_without_sftp(tmp_path_factory: pytest.TempPathFactory, daemon: Daemon) -> Iterator[SshServer]:
    with _sshd(tmp_path_factory.mktemp("sshd"), daemon, {}) as server:
        yield server


@contextmanager
def _sshd(folder: Path, daemon: Daemon, further: dict[str, str]) -> Generator[SshServer]:
    for name in ("host", "client"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    (folder / "authorized").write_text((folder / "client.pub").read_text())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "authorized",
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "PermitRootLogin": "prohibit-password",
        "SetEnv": f"DOCKER_HOST={daemon.address}",
        **further,
    }
    (folder / "config").write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
    Path("/run/sshd").mkdir(exist_ok=True)
    sshd = shutil.which("sshd") or "/usr/sbin/sshd"
    server = subprocess.Popen([sshd, "-D", "-e", "-f", str(folder / "config")], stderr=subprocess.PIPE, text=True)
    _wait_for_listener(server, port)
    yield SshServer(port, (folder / "client").read_text(), folder / "client")
    server.terminate()
    server.wait()


def _wait_for_listener(server: subprocess.Popen[str], port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    server.kill()
    pytest.fail(f"sshd did not listen on {port}: {server.stderr.read() if server.stderr else ''}")


def _listed(found: Any) -> list[Any]:
    """Docker says null for an empty list."""
    return found or []


def _remove_all(api: Any, prefix: str) -> None:
    for container in api.containers(all=True):
        if any(name.startswith(f"/{prefix}") for name in container["Names"]):
            api.remove_container(container["Id"], force=True, v=True)
    for network in api.networks():
        if network["Name"].startswith(prefix):
            api.remove_network(network["Id"])
    for volume in _listed(api.volumes()["Volumes"]):
        if volume["Name"].startswith(prefix):
            api.remove_volume(volume["Name"], force=True)
    for found in api.images():
        for tag in _listed(found["RepoTags"]):
            if tag.startswith(f"{prefix}/"):
                api.remove_image(tag, force=True)
