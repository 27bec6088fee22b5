"""A stack over ssh whose actions had a connection each: its state becomes the one that today's program makes."""

from __future__ import annotations

import json
import shlex
from typing import Any

from ops.engine.former_connections import over_one_connection
from settings import Settings, load
from settings.model import SECRET_KEYS
from tests.engine.registered_state import deployed
from tests.unit.components.registration import register
from tests.unit.settings.cases import SMALLEST

CONFIGURATION = SMALLEST | {
    "host.kind": "ssh",
    "host.address": "2001:db8::10",
    "host.user": "operator",
    "host.private_key_file": "/home/operator/.ssh/id_ed25519",
    "host.host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
}
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----"
TARGET_MEMBERS = 5


def settings(configuration: dict[str, Any]) -> Settings:
    return load(configuration, SECRET_KEYS)


def former(state: dict[str, Any]) -> dict[str, Any]:
    """The state as a program made it that connected for each action."""
    urns: dict[str, str] = {}
    for resource in state["deployment"]["resources"]:
        if " verify.link run " not in str(resource.get("inputs")):
            continue
        resource["type"] = "command:remote:Command"
        urns[resource["urn"]] = resource["urn"].replace("command:local:", "command:remote:")
        for side in (resource["inputs"], resource["outputs"]):
            for step in ("create", "update", "delete"):
                if side.get(step):
                    words = shlex.split(side[step])
                    side[step] = shlex.join(words[words.index("run") + 1 + TARGET_MEMBERS :])
            side["connection"] = {"host": "2001:db8::10", "privateKey": KEY}
    assert len(urns) > 20
    text = json.dumps(state)
    for new, old in urns.items():
        text = text.replace(json.dumps(new), json.dumps(old))
    return json.loads(text)


def test_the_state_becomes_the_one_that_todays_program_makes_and_keeps_no_key() -> None:
    today = deployed(register(CONFIGURATION))
    before = former(json.loads(json.dumps(today)))["deployment"]
    before["pending_operations"] = [{"type": "creating", "resource": before["resources"][-1]}]
    after = over_one_connection(before, settings(CONFIGURATION).host)
    assert after["resources"] == today["deployment"]["resources"]
    assert after["pending_operations"][0]["resource"] == after["resources"][-1]
    assert KEY not in json.dumps(after)


def test_a_state_of_today_and_one_of_a_local_stack_stay_as_they_are() -> None:
    today = deployed(register(CONFIGURATION))["deployment"]
    assert over_one_connection(today, settings(CONFIGURATION).host) == today
    here = deployed(register(SMALLEST))["deployment"]
    assert over_one_connection(here, settings(SMALLEST).host) == here


def test_plain_pulumi_on_such_a_state_updates_each_action_and_deletes_none() -> None:
    """By an alias, so that no delete of a former action is run, the handover's least of all."""
    actions = [
        one
        for one in register(CONFIGURATION).resources.values()
        if one.type == "command:local:Command" and " verify.link run " in one.inputs["create"]
    ]
    assert all([alias.spec.type for alias in one.options.aliases] == ["command:remote:Command"] for one in actions)
