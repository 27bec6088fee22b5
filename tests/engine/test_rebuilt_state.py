"""A state that is made from its host, on the real engine and the real program: accepted, and nothing of it changes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lab.recorded_states.fixed import SOCKET
from ops.engine import rebuild
from settings import SECRET_KEYS
from tests.engine.recorded import Project, project
from tests.engine.test_recorded_states import pytestmark
from tests.unit.settings.cases import SMALLEST

__all__ = ["pytestmark"]
KINDS = (rebuild.NETWORK, rebuild.VOLUME, rebuild.IMAGE, rebuild.CONTAINER)


def host_of(planned: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A host that has all that is planned, each image under one id."""
    names = {kind: [str(one["inputs"]["name"]) for one in planned if one["type"] == kind] for kind in KINDS}
    return {
        "containers": [
            {"name": name, "id": f"id-of-{name}", "image": "sha256:1", "gateway": "gateway" in name, "serves": True}
            for name in names[rebuild.CONTAINER]
        ],
        "networks": {name: f"id-of-{name}" for name in names[rebuild.NETWORK]},
        "volumes": {name: name for name in names[rebuild.VOLUME]},
        "images": dict.fromkeys(names[rebuild.IMAGE], "sha256:1"),
    }


def configured(stack: Project) -> None:
    configuration = SMALLEST | {"host.docker_socket": SOCKET}
    secrets = [key for key in SECRET_KEYS if key in configuration]
    plain = {f"sentinel-cutover:{key}": value for key, value in configuration.items() if key not in secrets}
    stack.configure(plain, secrets)


def test_the_engine_takes_the_rebuilt_state_and_plans_to_make_its_actions_alone() -> None:
    with project() as stack:
        configured(stack)
        planned = rebuild.resources_of(json.loads(stack.pulumi("preview", "--json", "--non-interactive")))
        resources = rebuild.adopted(planned, host_of(planned), "0123456789abcdef")
        stack.import_state({"version": 3, "deployment": {"manifest": {}, "resources": resources}})
        steps = stack.preview()
    kinds = {str(one["urn"]): str(one["type"]) for one in planned}
    changed = [urn.rpartition("::")[2] for urn, step in steps.items() if kinds.get(urn) in KINDS and step != "same"]
    # Its image is built by an action, whose answer a preview does not know.
    assert changed == ["sentinel-gateway"]
    assert {kinds[urn] for urn, step in steps.items() if step == "create"} == {"command:local:Command"}
    first = {urn.rpartition("::")[2] for urn in rebuild.before_containers(planned)}
    assert {"sentinel-image-bridge", "host-hostctl", "sentinel-postgres-container"} <= first
    assert not {"sentinel-gateway", "handover-port", "sentinel-standby"} & first
