"""A container whose create fails: its remains, and the next run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from contract_engine import Outcome, Resources
from contract_subjects import Daemon, NewStack


@dataclass(frozen=True)
class Life:
    failed: Outcome
    fixed: Outcome


@pytest.fixture(scope="module")
def life(new_stack: NewStack, daemon: Daemon) -> Life:
    stack = new_stack()
    failed = stack.up(_program(daemon, healthy=False, upload=True), "--continue-on-error")
    return Life(failed, stack.up(_program(daemon, healthy=True, upload=False)))


def _program(daemon: Daemon, *, healthy: bool, upload: bool) -> Resources:
    def container(name: str, **arguments: Any) -> dict[str, Any]:
        common = {"image": daemon.images[0], "command": ["sleep", "1000"], "memory": 32, "memory_swap": 32}
        return {"kind": "docker.Container", "arguments": common | {"name": f"{daemon.prefix}-{name}"} | arguments}

    test = "/etc/mark" if healthy else "/etc/nothing"
    health = {"tests": ["CMD", "test", "-e", test], "interval": "1s", "timeout": "1s", "retries": 1}
    sealed = {"uploads": [{"file": "/data/secret", "content": "x"}]} if upload else {}
    volume = [{"volume_name": f"{daemon.prefix}-sealed", "container_path": "/data"}]
    return {
        "sick": container("sick", healthcheck=health, wait=True, wait_timeout=4),
        "sealed": container("sealed", read_only=True, volumes=volume, **sealed),
    }


def test_a_wait_that_runs_out_fails_and_leaves_the_container_in_state(life: Life) -> None:
    assert life.failed.status != 0
    assert life.failed.resources["sick"]["initErrors"]


def test_the_next_up_replaces_what_failed_to_become_healthy(life: Life) -> None:
    assert life.fixed.status == 0, life.fixed.text
    assert "create-replacement" in {item.op for item in life.fixed.operations if item.name == "sick"}
    assert life.fixed.resources["sick"]["id"] != life.failed.resources["sick"]["id"]
    assert not life.fixed.resources["sick"].get("initErrors")


def test_uploads_to_a_read_only_root_are_refused_also_onto_a_volume(life: Life) -> None:
    assert "marked read-only" in life.failed.text
    assert life.fixed.resources["sealed"]["outputs"]["readOnly"] is True
