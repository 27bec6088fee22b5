"""The recorded life of one stack (`golden.json`), step by step, on whatever plugins are under test."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from contract_engine import ROOT, Outcome, Resources
from contract_subjects import Daemon, NewStack

RECORDED: dict[str, Any] = json.loads((ROOT / "tests/testdata/plugins/golden.json").read_text())
_OF_THE_MACHINE = {"id", "hostname", "image", "imageId", "mountpoint", "networkDatas", "name", "ipamConfigs"}
_OURS = {"command", "healthcheck", "networksAdvanced", "volumes", "dir", "delete"}
"""Said differently here than in the recording: our image has no web server, our names have a prefix."""


@dataclass(frozen=True)
class Life:
    steps: list[Outcome]
    second_preview: Outcome
    deleted: Path

    def compare(self, step: int, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Recorded and present outputs, both without what differs from machine to machine."""
        recorded = RECORDED["steps"][step]["resources"][name]["outputs"]
        present = self.steps[step].resources[name]["outputs"]
        left_out = _OF_THE_MACHINE | _OURS | {"__meta", "__pulumi_raw_state_delta"}
        return (
            {key: value for key, value in recorded.items() if key not in left_out},
            {key: value for key, value in present.items() if key not in left_out},
        )


@pytest.fixture(scope="module")
def life(new_stack: NewStack, daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Life:
    folder = tmp_path_factory.mktemp("golden")
    stack = new_stack()
    said = [
        {"number": 1, "env": 1, "upload": 1, "stdin": 1, "trigger": 1},
        {"number": 2, "env": 2, "upload": 1, "stdin": 2, "trigger": 1},
        {"number": 3, "env": 2, "upload": 2, "stdin": 2, "trigger": 1},
        {"number": 4, "env": 2, "upload": 2, "stdin": 2, "trigger": 2},
    ]
    first = stack.up(_program(daemon, folder, said[0]))
    second_preview = stack.preview()
    steps = [first, *(stack.up(_program(daemon, folder, step)) for step in said[1:])]
    assert [step.status for step in steps] == [0, 0, 0, 0], "\n".join(step.text for step in steps)
    return Life(steps, second_preview, folder / "deleted.log")


def _program(daemon: Daemon, folder: Path, said: dict[str, int]) -> Resources:
    prefix = f"{daemon.prefix}-golden"
    return {
        "net": {
            "kind": "docker.Network",
            "arguments": {"name": f"{prefix}-net", "labels": [{"label": "app", "value": "golden"}]},
        },
        "vol": {"kind": "docker.Volume", "arguments": {"name": f"{prefix}-vol"}},
        "img": {"kind": "docker.RemoteImage", "arguments": {"name": daemon.images[0], "keep_locally": True}},
        "web": {"kind": "docker.Container", "arguments": _container(prefix, said)},
        "c1": {
            "kind": "command.local.Command",
            "arguments": {
                "create": "cat; echo created $X >&2; echo out-$X",
                "update": "echo updated $X prev=$PULUMI_COMMAND_STDOUT",
                "delete": f"echo deleted $X >> {folder}/deleted.log",
                "dir": str(folder),
                "environment": {"X": str(said["number"])},
                "interpreter": ["/bin/bash", "-c"],
                "stdin": f"in-{said['stdin']}",
                "triggers": [said["trigger"]],
            },
        },
        "c2": {"kind": "command.local.Command", "arguments": {"create": f"echo no-update-{said['number']}"}},
    }


def _container(prefix: str, said: dict[str, int]) -> dict[str, Any]:
    return {
        "name": f"{prefix}-web",
        "image": {"of": "img", "output": "image_id"},
        "command": ["sleep", "1000"],
        "capabilities": {"drops": ["ALL"]},
        "destroy_grace_seconds": 2,
        "envs": ["A=1", f"STEP={said['env']}"],
        "healthcheck": {
            "tests": ["CMD", "test", "-e", "/etc/demo.conf"],
            "interval": "1s",
            "timeout": "1s",
            "retries": 20,
            "start_period": "1s",
        },
        "init": True,
        "labels": [{"label": "app", "value": "golden"}],
        "log_driver": "json-file",
        "log_opts": {"max-file": "3", "max-size": "10m"},
        "memory": 256,
        "mounts": [{"target": "/scratch", "type": "tmpfs"}],
        "networks_advanced": [{"name": {"of": "net", "output": "name"}, "aliases": ["web"]}],
        "ports": [{"internal": 8080, "external": 9400, "ip": "127.0.0.1"}],
        "read_only": False,
        "restart": "unless-stopped",
        "security_opts": ["no-new-privileges:true"],
        "stdin_open": True,
        "uploads": [{"file": "/etc/demo.conf", "content": f"x={said['upload']}\n"}],
        "user": "nobody",
        "volumes": [{"volume_name": {"of": "vol", "output": "name"}, "container_path": "/data"}],
        "wait": True,
        "wait_timeout": 30,
    }


@pytest.mark.parametrize("step", [0, 1, 2, 3])
@pytest.mark.parametrize("name", ["net", "vol", "img", "web", "c1", "c2"])
def test_outputs_are_as_recorded_in_every_step(life: Life, step: int, name: str) -> None:
    recorded, present = life.compare(step, name)
    if name == "c1":
        recorded, present = _reworded(recorded), _reworded(present)
    assert present == recorded


def _reworded(outputs: dict[str, Any]) -> dict[str, Any]:
    # The fourth step's standard input was 2 in the recording too, so nothing but the spelling is left to compare.
    return {key: value for key, value in outputs.items() if key != "create"}


def test_check_fills_in_the_recorded_defaults(life: Life) -> None:
    recorded = RECORDED["steps"][0]["resources"]["web"]["inputs"]
    present = life.steps[0].resources["web"]["inputs"]
    if "restart" in recorded["__defaults"]:
        pytest.fail("the recording said its restart policy itself")
    assert present["__defaults"] == recorded["__defaults"]
    assert present["ports"] == recorded["ports"]
    assert present["healthcheck"]["__defaults"] == recorded["healthcheck"]["__defaults"]
    assert present["healthcheck"]["startInterval"] == recorded["healthcheck"]["startInterval"]
    assert life.steps[0].resources["net"]["inputs"]["__defaults"] == ["ipamDriver"]


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("name", ["web", "c1", "c2"])
def test_each_change_is_the_operation_that_was_recorded(life: Life, step: int, name: str) -> None:
    recorded = RECORDED["steps"][step]["differences"][name]
    operation = life.steps[step].operation(name)
    replacing = {"create-replacement", "replace", "delete-replaced"}
    assert (operation.op in replacing) == (recorded["op"] == "replace")
    operation = next(item for item in life.steps[step].operations if item.name == name and item.differing)
    assert operation.differing == recorded["differing"]
    assert operation.detailed == recorded["detailed"]


def test_memory_without_swap_shows_an_update_in_the_second_preview(life: Life) -> None:
    """The trap of `memory` without `memory_swap`."""
    assert [item.name for item in life.second_preview.operations] == ["web"]
    operation = life.second_preview.operation("web")
    assert (operation.op, operation.detailed) == ("update", RECORDED["second_preview"]["web"]["detailed"])
    assert life.steps[0].resources["web"]["outputs"]["memorySwap"] == 512


def test_a_container_is_deleted_before_its_successor_is_created(life: Life) -> None:
    order = [item.op for item in life.steps[1].operations if item.name == "web"]
    assert order.index("delete-replaced") < order.index("create-replacement")


def test_a_changed_trigger_replaces_the_command_and_runs_delete_with_the_stored_environment(life: Life) -> None:
    order = [item.op for item in life.steps[3].operations if item.name == "c1"]
    assert set(order) == {"create-replacement", "replace", "delete-replaced"}
    assert life.deleted.read_text() == "deleted 3\n"
    assert life.steps[3].resources["c1"]["outputs"]["stdout"] == "in-2out-4"


def test_identifiers_have_their_recorded_form(life: Life, daemon: Daemon) -> None:
    resources = life.steps[0].resources
    assert re.fullmatch(r"c1[0-9a-f]{8}", resources["c1"]["id"])
    assert resources["img"]["id"] == daemon.image_id(0) + daemon.images[0]
    assert resources["vol"]["id"] == f"{daemon.prefix}-golden-vol"
    assert re.fullmatch(r"[0-9a-f]{64}", resources["web"]["id"])
