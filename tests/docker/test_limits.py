"""A Docker that drops limits is refused before anything is changed."""

from __future__ import annotations

import json
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest

from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.docker import limits
from tests.docker.handover_host import ON_BOTH_DOCKERS


@pytest.mark.parametrize(
    ("found", "fix"),
    [
        ({"MemoryLimit": False, "SwapLimit": False}, "cgroup_enable=memory"),
        ({"MemoryLimit": True, "SwapLimit": False}, "swapaccount=1"),
    ],
)
def test_what_cannot_be_limited_is_refused_with_the_fix(
    found: dict[str, Any], fix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "Engine", lambda socket: SimpleNamespace(get=lambda path: found))
    with pytest.raises(Refusal, match=fix):
        limits.check(Document({"docker_socket": "/nowhere"}))


@pytest.mark.lab
@ON_BOTH_DOCKERS
def test_the_answer_is_what_a_container_there_shows(docker_socket: str, image: str, run: Any) -> None:
    """Checked on a container: made with limits it keeps them, or Docker has dropped them."""
    docker = ["docker", "-H", f"unix://{docker_socket}"]
    made = subprocess.run(
        [*docker, "create", "--memory=64m", "--memory-swap=64m", image], capture_output=True, text=True, check=True
    ).stdout.strip()
    try:
        shown = subprocess.run([*docker, "inspect", made], capture_output=True, text=True, check=True).stdout
        host = json.loads(shown)[0]["HostConfig"]
    finally:
        subprocess.run([*docker, "rm", made], capture_output=True, check=True)
    kept = (host["Memory"], host["MemorySwap"]) == (64 << 20, 64 << 20)
    done = run("docker", "check", document={"docker_socket": docker_socket})
    assert (done.returncode == 0) is kept, done.stderr
    assert kept or "cannot limit a container's memory" in done.stderr
