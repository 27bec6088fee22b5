"""A container finds on the host all that it needs to start again, whatever a run still owes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hostctl.core.unfinished import FOLDER
from tests.docker.handover_host import Host

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120, func_only=True)]
OURS = {"sentinel-cutover": "true"}


@pytest.fixture
def product(host: Host, tmp_path: Path) -> Path:
    """The product's folder with the program in it, which is run from there as the engine does."""
    shutil.copy(host.archive, tmp_path / "hostctl.pyz")
    return tmp_path


def ran(host: Host, product: Path, verb: str, action: str, **document: Any) -> dict[str, Any]:
    command = [*host.in_host_namespace, sys.executable, "-I", "-S", str(product / "hostctl.pyz"), verb, action]
    text = json.dumps({"docker_socket": host.docker_socket, "folder": str(product), **document})
    return json.loads(subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout)


def contents(product: Path, name: str) -> dict[str, Any]:
    return {"folder": str(product / name), "files": [{"name": "key", "content": name}]}


def restarted(host: Host, name: str) -> bool:
    command = ["docker", "-H", f"unix://{host.docker_socket}", "restart", "-t", "0", host.ids[name]]
    return subprocess.run(command, capture_output=True, text=True).returncode == 0


def test_after_a_failed_gate_and_a_revert_the_serving_container_restarts(host: Host, product: Path) -> None:
    """As the engine runs it: A again, then the deletes that it owes since the gate failed, for A and for B."""
    a, b = contents(product, "a"), contents(product, "b")
    for name, files in (("first", a), ("failed", b)):
        ran(host, product, "files", "write", **files)
        host.create(name, host.also, OURS, files={"/key": f"{files['folder']}/key"})
    ran(host, product, "files", "write", **a)
    host.create("reverted", host.also, OURS, files={"/key": f"{a['folder']}/key"})
    for name in ("first", "failed"):
        host.remove_container(name)
    kept = ran(host, product, "files", "remove", **a)
    assert kept["removed"] is False and f"{host.mark}-reverted" in kept["reason"]
    assert ran(host, product, "files", "remove", **b)["folder_removed"] is True
    assert restarted(host, "reverted")
    declared = [a["folder"]]
    assert ran(host, product, "unfinished", "show", declared=declared)["unfinished"] == []
    assert ran(host, product, "docker", "presence", folders=declared)["missing"] == []
    ran(host, product, "unfinished", "repair", declared=declared)
    assert (product / "a" / "key").exists() and not list((product / FOLDER).iterdir())
    host.remove_container("reverted")


@pytest.mark.parametrize("state", ["created", "exited", "running"])
def test_a_removal_waits_until_no_container_uses_the_files(host: Host, product: Path, state: str) -> None:
    files = contents(product, "c")
    ran(host, product, "files", "write", **files)
    host.create("user", host.also, OURS, files={"/files": files["folder"]}, start=state != "created")
    if state == "exited":
        host.engine.post(f"/containers/{host.ids['user']}/stop?t=0")
    assert ran(host, product, "files", "remove", **files)["removed"] is False
    (due,) = ran(host, product, "unfinished", "show")["unfinished"]
    assert due["verb"] == "files remove" and f"{host.mark}-user" in due["reason"]
    assert len(ran(host, product, "unfinished", "repair")["left"]) == 1
    assert restarted(host, "user")
    host.remove_container("user")
    assert ran(host, product, "unfinished", "repair") == {"done": ["files remove"], "left": []}
    assert not (product / "c").exists()


def test_a_missing_source_of_a_mount_is_found_and_a_restart_works_once_it_is_written(host: Host, product: Path) -> None:
    files = contents(product, "d")
    ran(host, product, "files", "write", **files)
    host.create("user", host.also, OURS, files={"/key": f"{files['folder']}/key"})
    shutil.rmtree(product / "d")
    folders = [files["folder"], str(product / "unmounted")]
    assert ran(host, product, "docker", "presence", folders=folders)["missing"] == [
        {"path": f"{files['folder']}/key", "container": f"{host.mark}-user"},
        {"path": str(product / "unmounted"), "container": ""},
    ]
    assert not restarted(host, "user")
    ran(host, product, "files", "write", **files)
    assert restarted(host, "user")
    host.remove_container("user")
