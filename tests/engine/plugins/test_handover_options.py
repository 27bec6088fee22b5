"""The recorded life of a container that is started by a command and published by joining a network (`handover.json`).

`start=False, must_run=False, delete_before_replace=False, ignore_changes=["ports"]`, auto-naming: what the handover of
the port rests on, twelve steps in their order.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from contract_engine import ROOT, Outcome, Resources
from contract_subjects import Daemon, NewStack

PORT = 19200
"""Instead of the recorded 9200, which ContextForge may hold on the lab's daemon."""
RECORDED: list[dict[str, Any]] = json.loads(
    (ROOT / "tests/testdata/plugins/handover.json").read_text().replace('"external": 9200', f'"external": {PORT}')
)["steps"]
STEPS = [step["what"] for step in RECORDED]
PUBLISHED_CHANGE = STEPS.index("new image: delete_before_replace=False, handover has an update command")
GIVEN_BACK = STEPS.index("refresh while the port is not published")
_OF_THE_MACHINE = {"id", "hostname", "image", "name", "command", "entrypoints", "networkDatas", "networksAdvanced"}

# On Docker 20.10 a container leaves the internal network first, else its port is published there (see handover.md).
LEAVE = """
for held in $(docker network inspect -f '{{range $id, $of := .Containers}}{{$id}} {{end}}' $EDGE); do
  docker network disconnect $INTERNAL $held; docker network disconnect $EDGE $held
  docker network connect --alias sentinel-gateway $INTERNAL $held
done
"""
TAKE = LEAVE + "docker network connect $EDGE $ID"
STANDBY = """
docker start $ID >/dev/null
for attempt in $(seq 200); do
  [ "$(docker inspect -f '{{.State.Health.Status}}' $ID)" = healthy ] && break; sleep 0.1
done
docker inspect -f '{{.State.Health.Status}}' $ID
"""


@pytest.fixture(scope="module")
def life(new_stack: NewStack, daemon: Daemon) -> list[Outcome]:
    stack = new_stack()
    said: dict[str, Any] = {"image": 0, "memory": 64, "handover": True}
    outcomes: list[Outcome] = []
    for step in RECORDED:
        said |= {
            "memory 64 to 96": {"memory": 96},
            STEPS[PUBLISHED_CHANGE]: {"image": 1},
            "handover out of the program": {"handover": False},
            "handover back in the program": {"handover": True},
        }.get(step["what"], {})
        run = {"pulumi up": stack.up, "pulumi preview": stack.preview}.get(step["command"])
        outcomes.append(run(_program(daemon, said)) if run else stack.refresh())
    return outcomes


def _program(daemon: Daemon, said: dict[str, Any]) -> Resources:
    prefix = f"{daemon.prefix}-handover"
    environment = {
        "DOCKER_HOST": daemon.address,
        "ID": {"of": "gateway", "output": "id"},
        "EDGE": f"{prefix}-edge",
        "INTERNAL": f"{prefix}-internal",
    }
    resources: Resources = {
        "d": {"kind": "docker.Provider", "arguments": {"host": daemon.address}},
        "internal": {"kind": "docker.Network", "arguments": {"name": f"{prefix}-internal", "internal": True}},
        "edge": {"kind": "docker.Network", "arguments": {"name": f"{prefix}-edge"}},
        "img": {
            "kind": "docker.RemoteImage",
            "arguments": {"name": daemon.images[said["image"]], "keep_locally": True},
        },
        "gateway": {
            "kind": "docker.Container",
            "arguments": {
                "image": {"of": "img", "output": "image_id"},
                "command": ["sh", "-c", f"# srv-{said['image']}\nexec sleep 1000"],
                "start": False,
                "must_run": False,
                "restart": "unless-stopped",
                "memory": said["memory"],
                "memory_swap": said["memory"],
                "log_driver": "json-file",
                "log_opts": {"max-file": "3", "max-size": "10m"},
                "healthcheck": {
                    "tests": ["CMD", "test", "-e", "/etc/mark"],
                    "interval": "1s",
                    "timeout": "1s",
                    "start_period": "0s",
                    "retries": 10,
                },
                "networks_advanced": [{"name": {"of": "internal", "output": "name"}, "aliases": ["sentinel-gateway"]}],
                "ports": [{"internal": 9200, "external": PORT, "ip": "127.0.0.1", "protocol": "tcp"}],
            },
            "options": {
                "delete_before_replace": False,
                "ignore_changes": ["ports"],
            },
        },
        "standby": {
            "kind": "command.local.Command",
            "arguments": {
                "create": STANDBY,
                "environment": {key: environment[key] for key in ("DOCKER_HOST", "ID")},
                "triggers": [environment["ID"]],
                "add_previous_output_in_env": False,
            },
        },
    }
    if said["handover"]:
        resources["handover"] = {
            "kind": "command.local.Command",
            "arguments": {
                "create": TAKE,
                "update": TAKE,
                "delete": LEAVE,
                "environment": environment,
                "add_previous_output_in_env": False,
            },
            "options": {"depends_on": ["standby", "edge"]},
        }
    for name in ("internal", "edge", "img", "gateway"):
        resources[name].setdefault("options", {})["provider"] = "d"
    return resources


@pytest.mark.parametrize("step", range(len(STEPS)), ids=[f"{number}-{what}" for number, what in enumerate(STEPS)])
def test_each_step_does_what_was_recorded(life: list[Outcome], step: int) -> None:
    assert life[step].status == 0, life[step].text
    operations = life[step].operations
    if step == 0:
        assert {(item["op"], item["name"]) for item in RECORDED[0]["operations"]} == set(life[0].changed())
        return
    assert [(item.op, item.name, item.differing, item.detailed) for item in operations] == [
        (item["op"], item["name"], item["differing"], _without_line(item["detailed"]))
        for item in RECORDED[step]["operations"]
    ]


def _without_line(detailed: dict[str, str]) -> dict[str, str]:
    # Our command differs in its third word, the recorded one in its first.
    return {("command[2]" if path == "command[0]" else path): kind for path, kind in detailed.items()}


@pytest.mark.parametrize("step", [0, PUBLISHED_CHANGE, GIVEN_BACK])
def test_the_container_is_in_state_as_recorded(life: list[Outcome], step: int) -> None:
    recorded = RECORDED[step]["gateway"]["outputs"]
    present = life[step].resources["gateway"]["outputs"]
    left_out = _OF_THE_MACHINE | {"healthcheck", "__meta", "__pulumi_raw_state_delta"}
    assert {key: value for key, value in present.items() if key not in left_out} == {
        key: value for key, value in recorded.items() if key not in left_out
    }


def test_ports_read_back_as_none_while_unpublished(life: list[Outcome]) -> None:
    gateway = life[GIVEN_BACK].resources["gateway"]
    assert (gateway["inputs"]["ports"], gateway["outputs"]["ports"]) == ([], [])
    assert life[0].resources["gateway"]["outputs"]["ports"][0]["external"] == PORT


def test_networks_joined_later_are_not_read_back(life: list[Outcome], daemon: Daemon) -> None:
    said = life[GIVEN_BACK].resources["gateway"]["outputs"]["networksAdvanced"]
    assert [network["name"] for network in said] == [f"{daemon.prefix}-handover-internal"]
    present = daemon.inspect(life[-1].resources["gateway"]["id"])["NetworkSettings"]["Networks"]
    assert set(present) == {f"{daemon.prefix}-handover-internal", f"{daemon.prefix}-handover-edge"}


def test_names_are_made_of_the_resource_and_seven_digits_anew_for_each_successor(life: list[Outcome]) -> None:
    names = [life[step].resources["gateway"]["outputs"]["name"] for step in (0, PUBLISHED_CHANGE)]
    assert all(re.fullmatch(r"gateway-[0-9a-f]{7}", name) for name in names)
    assert names[0] != names[1]
    assert "name" in life[0].resources["gateway"]["inputs"]["__defaults"]


def test_a_successor_gets_the_ports_that_its_predecessor_had_ignored(life: list[Outcome], daemon: Daemon) -> None:
    found = daemon.inspect(life[-1].resources["gateway"]["id"])
    assert found["NetworkSettings"]["Ports"]["9200/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": str(PORT)}]


def test_memory_is_really_changed_in_place(life: list[Outcome]) -> None:
    ids = [life[STEPS.index(what)].resources["gateway"]["id"] for what in ("create", "memory 64 to 96")]
    assert ids[0] == ids[1]
    assert life[STEPS.index("memory 64 to 96")].resources["gateway"]["outputs"]["memorySwap"] == 96
