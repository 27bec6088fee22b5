"""A state made of what the program registers, as if every resource had become what is declared of it.

Owns: what the engine and the docker plugin add to a registration: URNs, default provider, completed inputs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from lab.doubles.plugins.docker_plugin.container_schema import CONTAINER
from lab.doubles.plugins.docker_plugin.network import Network
from lab.doubles.plugins.docker_plugin.remote_image import RemoteImage
from lab.doubles.plugins.docker_plugin.volume import Volume
from lab.doubles.plugins.frame.values import plain_map, wire_map
from tests.unit.components.registration import Registered, Registration

STACK = "lab"
_SIGN, _SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
"""By which the engine knows a secret value (sdk/go/common/resource/properties.go)."""
SCHEMAS = {
    "docker:index/network:Network": Network().schema,
    "docker:index/volume:Volume": Volume().schema,
    "docker:index/remoteImage:RemoteImage": RemoteImage().schema,
    "docker:index/container:Container": CONTAINER,
}


def deployed(program: Registration) -> dict[str, Any]:
    """The state of a stack whose every resource became what the program declares of it."""
    command = {"type": "pulumi:providers:command", "id": "00000000-0000-0000-0000-000000000000"}
    command["urn"] = f"urn:pulumi:{STACK}::sentinel-cutover::{command['type']}::default_1_2_1"
    provider = {**command, "custom": True, "inputs": {"version": "1.2.1"}, "outputs": {"version": "1.2.1"}}
    resources: list[dict[str, Any]] = [provider]
    for one in program.resources.values():
        resource: dict[str, Any] = {"urn": one.urn, "type": one.type, "custom": bool(one.options.custom)}
        resource |= {"parent": one.parent} if one.parent else {}
        if one.options.custom:
            own = one.options.provider or f"{command['urn']}::{command['id']}"
            inputs = checked(one)
            resource |= {"id": f"{one.name}-id", "inputs": exported(inputs)}
            resource |= {"outputs": exported({**program.outputs[one.name], **inputs})}
            resource |= {"dependencies": list(one.options.dependencies)}
            resource |= {} if one.type.startswith("pulumi:providers:") else {"provider": own}
        resources.append(resource)
    text = json.dumps({"version": 3, "deployment": {"manifest": {}, "resources": resources}})
    # The mocks name a stack of their own, and of the parents the nearest alone.
    for urn in sorted(program.resources, key=len, reverse=True):
        text = text.replace(json.dumps(urn)[1:-1], engines_urn(program, urn))
    return json.loads(text)


def checked(one: Registered) -> dict[str, Any]:
    """The inputs as the docker plugin completes them."""
    if one.type not in SCHEMAS:
        return dict(one.inputs)
    inputs = {"name": f"{one.name}-1a2b3c4", **one.inputs}
    return dict(plain_map(SCHEMAS[one.type].checked(one.name, {}, wire_map(inputs))))


def engines_urn(program: Registration, urn: str) -> str:
    """The URN that the engine gives: the types of all parents but the stack."""
    root = program.stack()
    if urn == root.urn:
        return f"urn:pulumi:{STACK}::sentinel-cutover::{root.type}::sentinel-cutover-{STACK}"
    one = program.resources[urn]
    types = [one.type]
    while one.parent != root.urn:
        one = program.resources[one.parent]
        types.append(one.type)
    return f"urn:pulumi:{STACK}::sentinel-cutover::{'$'.join(reversed(types))}::{urn.rpartition('::')[2]}"


def exported(value: Any) -> Any:
    """A value of a registration as an export that shows its secrets has it."""
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Any]", value)
        if members.get(_SIGN) == _SECRET:
            return {_SIGN: _SECRET, "plaintext": json.dumps(members["value"])}
        return {key: exported(one) for key, one in members.items()}
    if isinstance(value, list | tuple):
        return [exported(one) for one in cast("Sequence[Any]", value)]
    return value
