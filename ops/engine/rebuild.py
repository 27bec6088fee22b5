"""A state made from its host: what the program declares, with the ids of what already runs there.

Docker's objects are put into the state with the program's own inputs and read back by the engine's refresh, so that a
container which runs as declared shows no difference and is not touched. Actions are left out: the next run makes them,
and each verb finds its work done.

Owns: that deployment. Deliberately does not: change the host, or decide on a container that runs otherwise.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pulumi import automation

from hostctl.docker.containers import GATEWAY_ROLE, ROLE_LABEL
from ops.engine import host, state
from ops.engine.run import as_user_error, command
from settings import Settings

NETWORK, VOLUME = "docker:index/network:Network", "docker:index/volume:Volume"
IMAGE, CONTAINER = "docker:index/remoteImage:RemoteImage", "docker:index/container:Container"
_PROVIDER = "pulumi:providers:"
_STATE_ID = "::host-state-id"


def deployment(
    opened: automation.Stack, stack: str, settings: Settings, identity: str, planned: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The state's deployment with every object of Docker's that is planned and that the host has."""
    objects = host.run(stack, settings, "stack", "objects", _names(planned))
    return {**state.deployment_of(opened, stack), "resources": adopted(planned, objects, identity)}


def adopted(planned: Sequence[Mapping[str, Any]], objects: Mapping[str, Any], identity: str) -> list[dict[str, Any]]:
    """The planned resources that exist already, each with its id; components and providers as planned."""
    defaults = _default_providers(planned)
    providers = {
        str(one["urn"]): str(uuid.uuid4()) for one in [*defaults, *planned] if str(one["type"]).startswith(_PROVIDER)
    }
    kept: list[dict[str, Any]] = []
    for one in [*defaults, *planned]:
        known = _existing(one, objects, identity, providers)
        if known is not None:
            kept.append(known)
    urns = {str(one["urn"]) for one in kept}
    for one in kept:
        one["dependencies"] = [urn for urn in cast("Sequence[str]", one.get("dependencies") or []) if urn in urns]
        one["propertyDependencies"] = {
            name: [urn for urn in before or [] if urn in urns]
            for name, before in cast("Mapping[str, Sequence[str]]", one.get("propertyDependencies") or {}).items()
        }
    return kept


def _default_providers(planned: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The providers that resources of ours refer to and that the engine makes unplanned, such as `default_1_2_1`."""
    planned_urns = {str(one["urn"]) for one in planned}
    references = (str(one.get("provider") or "").rpartition("::")[0] for one in planned)
    missing = dict.fromkeys(urn for urn in references if urn and urn not in planned_urns)
    return [
        {
            "urn": urn,
            "type": urn.split("::")[2],
            "custom": True,
            "inputs": {"version": urn.rpartition("::default_")[2].replace("_", ".")},
        }
        for urn in missing
    ]


def _existing(
    one: Mapping[str, Any], objects: Mapping[str, Any], identity: str, providers: Mapping[str, str]
) -> dict[str, Any] | None:
    kind, inputs = str(one["type"]), cast("dict[str, Any]", dict(one.get("inputs") or {}))
    known = {key: value for key, value in one.items() if key not in ("id", "outputs", "inputs")}
    urn = str(known.get("provider") or "").rpartition("::")[0]
    if urn in providers:
        known["provider"] = f"{urn}::{providers[urn]}"
    if not one.get("custom"):
        return {**known, "inputs": inputs}
    if one["urn"] in providers:
        return {**known, "id": providers[one["urn"]], "inputs": inputs, "outputs": inputs}
    if str(one["urn"]).endswith(_STATE_ID):
        return {**known, "id": identity, "inputs": inputs, "outputs": {**inputs, "stdout": identity, "stderr": ""}}
    if kind == CONTAINER:
        container = _container(inputs, objects["containers"])
        if container is None:
            return None
        inputs |= {"name": container["name"], "image": container["image"]}
        return {**known, "id": container["id"], "inputs": inputs, "outputs": {**inputs, "id": container["id"]}}
    name = str(inputs.get("name"))
    identifier = cast("Mapping[str, str]", objects.get(_GROUPS.get(kind, ""), {})).get(name)
    if identifier is None:
        return None
    outputs = {**inputs, "imageId": identifier} if kind == IMAGE else inputs
    identifier = f"{identifier}{name}" if kind == IMAGE else identifier
    return {**known, "id": identifier, "inputs": inputs, "outputs": {**outputs, "id": identifier}}


def _container(inputs: Mapping[str, Any], containers: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The container of that name; of Sentinel's, which has another name with each version, the one that serves."""
    if _has_gateways_label(inputs):
        gateways = [one for one in containers if one["gateway"]]
        return next((one for one in gateways if one["serves"]), gateways[0] if gateways else None)
    return next((one for one in containers if one["name"] == inputs.get("name")), None)


def _is_gateway(one: Mapping[str, Any]) -> bool:
    return one["type"] == CONTAINER and _has_gateways_label(cast("Mapping[str, Any]", one.get("inputs") or {}))


def _has_gateways_label(inputs: Mapping[str, Any]) -> bool:
    labels = {label["label"]: label["value"] for label in inputs.get("labels") or ()}
    return labels.get(ROLE_LABEL) == GATEWAY_ROLE


def _names(planned: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    return {
        group: [str(one["inputs"]["name"]) for one in planned if one["type"] == kind] for kind, group in _GROUPS.items()
    }


def before_containers(planned: Sequence[Mapping[str, Any]]) -> list[str]:
    """The URNs of all that the gateway's container depends on, near and far.

    Of these the actions run first: until the image is known that they build, a preview replaces what runs it.
    """
    by_urn = {str(one["urn"]): one for one in planned}
    ahead = [urn for one in planned if _is_gateway(one) for urn in _needs(one)]
    seen: dict[str, None] = {}
    while ahead:
        urn = ahead.pop()
        if urn in by_urn and urn not in seen:
            seen[urn] = None
            ahead += _needs(by_urn[urn])
    return list(seen)


def _needs(one: Mapping[str, Any]) -> list[str]:
    provider = str(one.get("provider") or "").rpartition("::")[0]
    needed = [*cast("Sequence[str]", one.get("dependencies") or []), str(one.get("parent") or ""), provider]
    return [urn for urn in needed if urn]


def planned_resources(opened: automation.Stack, stack: str) -> list[Mapping[str, Any]]:
    """Every resource that the program declares, as the engine would create it."""
    with as_user_error(f"pulumi preview of stack {stack}"):
        planned = command(opened, ["preview", "--json", "--stack", stack])
    return resources_of(json.loads(planned))


def resources_of(preview: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The resources in the document of `pulumi preview --json`."""
    return [step["newState"] for step in preview["steps"] if step.get("newState")]


_GROUPS = {NETWORK: "networks", VOLUME: "volumes", IMAGE: "images"}
"""Of the kinds that have a name of their own, the member of the answer of `stack objects`."""
