"""A state made of what the program declares and what the host has."""

from __future__ import annotations

from typing import Any

from ops.engine import rebuild

URN = "urn:pulumi:prod::sentinel-cutover::"
PROVIDER = f"{URN}pulumi:providers:docker::host-docker"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
ROLE = [{"label": "sentinel-cutover.role", "value": "gateway"}]


def planned(kind: str, resource: str, /, **inputs: Any) -> dict[str, Any]:
    one: dict[str, Any] = {"urn": f"{URN}{kind}::{resource}", "type": kind, "custom": True, "inputs": inputs}
    return one | {"provider": f"{PROVIDER}::{UNKNOWN}", "dependencies": [f"{URN}command:local:Command::host-hostctl"]}


PLANNED: list[dict[str, Any]] = [
    {"urn": f"{URN}pulumi:pulumi:Stack::s", "type": "pulumi:pulumi:Stack", "custom": False},
    {"urn": PROVIDER, "type": "pulumi:providers:docker", "custom": True, "inputs": {"host": "unix:///d"}},
    planned("command:local:Command", "host-state-id", create="x"),
    planned("command:local:Command", "host-hostctl", create="y"),
    planned(rebuild.NETWORK, "networks-internal", name="sentinel"),
    planned(rebuild.VOLUME, "postgres-data", name="sentinel-postgres"),
    planned(rebuild.IMAGE, "image", name="sentinel:1"),
    planned(rebuild.CONTAINER, "gateway", name="sentinel-gateway-1a2b3c4", image=UNKNOWN, labels=ROLE),
    planned(rebuild.CONTAINER, "grafana", name="sentinel-grafana", image=UNKNOWN, labels=[]),
]
OBJECTS: dict[str, Any] = {
    "containers": [
        {"name": "sentinel-gateway-old", "id": "c1", "image": "sha256:1", "gateway": True, "serves": False},
        {"name": "sentinel-gateway-new", "id": "c2", "image": "sha256:2", "gateway": True, "serves": True},
    ],
    "networks": {"sentinel": "n1"},
    "volumes": {"sentinel-postgres": "sentinel-postgres"},
    "images": {"sentinel:1": "sha256:2"},
}


def found() -> dict[str, dict[str, Any]]:
    return {one["urn"].rpartition("::")[2]: one for one in rebuild.adopted(PLANNED, OBJECTS, "the-id")}


def test_what_the_host_has_gets_its_id_and_what_it_lacks_is_left_to_the_next_run() -> None:
    names = found()
    assert set(names) == {
        "s", "host-docker", "host-state-id", "networks-internal", "postgres-data", "image", "gateway",
    }  # fmt: skip
    assert names["networks-internal"]["id"] == "n1" and names["image"]["id"] == "sha256:2sentinel:1"
    assert names["host-state-id"]["outputs"]["stdout"] == "the-id"


def test_of_sentinels_containers_the_one_that_serves_is_taken_with_its_own_name_and_image() -> None:
    gateway = found()["gateway"]
    assert (gateway["id"], gateway["inputs"]["name"]) == ("c2", "sentinel-gateway-new")
    assert gateway["inputs"]["image"] == gateway["outputs"]["image"] == "sha256:2"


def test_the_state_names_no_resource_that_it_does_not_have() -> None:
    names = found()
    own = names["host-docker"]["id"]
    assert names["gateway"]["provider"] == f"{PROVIDER}::{own}" and own != UNKNOWN
    assert names["gateway"]["dependencies"] == []
