"""Containers stopped and removed by hand, and ports declared in descending order, step by step (`drift.json`)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from contract_engine import ROOT, Outcome, Resources
from contract_subjects import Daemon, NewStack

RECORDED: list[dict[str, Any]] = json.loads((ROOT / "tests/testdata/plugins/drift.json").read_text())["steps"]
PORTS = {8443: 19443, 8080: 19080}
NAMES = ("published", "unpublished")


@dataclass(frozen=True)
class Step:
    outcome: Outcome
    running: dict[str, bool]
    """By resource, as Docker says; a container that is gone is left out."""

    def facts(self, ids: dict[str, str]) -> dict[str, Any]:
        """All that is compared; `ids` are the ones of the step before."""
        found = {name: self.outcome.resources[name] for name in NAMES if name in self.outcome.resources}
        # The engine's order of two containers that do not depend on each other is no fact of the plugin.
        operations = sorted(self.outcome.operations, key=lambda item: item.name)
        return {
            "status": self.outcome.status,
            "operations": [[item.op, item.name, item.detailed] for item in operations],
            "mustRun": {name: item["outputs"]["mustRun"] for name, item in found.items()},
            "ports": [port["internal"] for port in found.get("published", {}).get("outputs", {}).get("ports", [])],
            "another_container": sorted(
                name for name, item in found.items() if ids.get(name, item["id"]) != item["id"]
            ),
            "running": self.running,
        }


@pytest.fixture(scope="module")
def steps(new_stack: NewStack, daemon: Daemon) -> list[dict[str, Any]]:
    stack = new_stack()
    names = {name: f"{daemon.prefix}-{name}" for name in NAMES}
    facts: list[dict[str, Any]] = []
    ids: dict[str, str] = {}
    for step in RECORDED:
        for name in names.values():
            if step["by_hand"] == "stop":
                daemon.api.stop(name, timeout=1)
            elif step["by_hand"] == "remove":
                daemon.api.remove_container(name, force=True)
        run = {"pulumi up": stack.up, "pulumi preview": stack.preview}.get(step["command"])
        outcome = run(_program(daemon)) if run else stack.refresh()
        present = {found["Names"][0].lstrip("/"): found["State"] for found in daemon.api.containers(all=True)}
        running = {short: present[name] == "running" for short, name in names.items() if name in present}
        facts.append(Step(outcome, running).facts(ids))
        ids |= {name: outcome.resources[name]["id"] for name in NAMES if name in outcome.resources}
    return facts


def _program(daemon: Daemon) -> Resources:
    common = {"image": daemon.images[0], "command": ["sleep", "1000"], "memory": 32, "memory_swap": 32}
    ports = [{"internal": inside, "external": outside, "ip": "127.0.0.1"} for inside, outside in PORTS.items()]
    return {
        "published": {
            "kind": "docker.Container",
            "arguments": common | {"name": f"{daemon.prefix}-published", "ports": ports},
        },
        "unpublished": {"kind": "docker.Container", "arguments": common | {"name": f"{daemon.prefix}-unpublished"}},
    }


@pytest.mark.parametrize("step", range(len(RECORDED)), ids=[step["what"] for step in RECORDED])
def test_each_step_does_what_was_recorded(steps: list[dict[str, Any]], step: int) -> None:
    assert steps[step] == RECORDED[step]["facts"]
