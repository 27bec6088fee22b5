"""`docker.Network`.

Owns: create, read, delete of a network and the shape of its state.
Deliberately does not: update anything; every difference replaces.
"""

from __future__ import annotations

from typing import Any

import docker.errors

from lab.doubles.plugins.docker_plugin.resource import (
    DockerApi,
    explained,
    labels_of,
    listed,
    remove_when_free,
    same_explicit_name,
)
from lab.doubles.plugins.frame.schema import Field, Schema
from lab.doubles.plugins.frame.serve import PluginError
from lab.doubles.plugins.frame.values import Plain, PlainMap, items, mapping, text

_REMOVE_SECONDS = 30.0


class Network:
    meta = '{"schema_version":"1"}'
    computed = ("driver", "ipamConfigs", "options", "scope", "internal", "attachable", "ingress", "ipv6", "labels")
    schema = Schema(
        fields={
            "name": Field(),
            "driver": Field(computed=True),
            "attachable": Field(),
            "ingress": Field(),
            "internal": Field(computed=True),
            "ipamConfigs": Field("set", computed=True),
            "ipamDriver": Field(),
            "ipamOptions": Field("map"),
            "ipv6": Field(),
            "labels": Field("set"),
            "options": Field("map", computed=True),
        },
        defaults={"ipamDriver": "default"},
    )

    def create(self, client: DockerApi, inputs: PlainMap) -> tuple[str, PlainMap]:
        body: dict[str, Any] = {
            "Name": text(inputs["name"]),
            "CheckDuplicate": True,
            "Driver": text(inputs.get("driver")) or "bridge",
            "Internal": bool(inputs.get("internal")),
            "Attachable": bool(inputs.get("attachable")),
            "Ingress": bool(inputs.get("ingress")),
            "EnableIPv6": bool(inputs.get("ipv6")),
            "Options": mapping(inputs.get("options")),
            "Labels": {text(item["label"]): text(item.get("value")) for item in items(inputs.get("labels"))},
            "IPAM": {
                "Driver": text(inputs.get("ipamDriver")) or "default",
                "Options": mapping(inputs.get("ipamOptions")),
                "Config": [_ipam(item) for item in items(inputs.get("ipamConfigs"))],
            },
        }
        try:
            made = client.create_network(
                body["Name"],
                driver=body["Driver"],
                options=body["Options"] or None,
                ipam=body["IPAM"],
                check_duplicate=True,
                internal=body["Internal"],
                labels=body["Labels"] or None,
                enable_ipv6=body["EnableIPv6"],
                attachable=body["Attachable"],
            )
        except docker.errors.APIError as error:
            raise PluginError(f"Unable to create network {body['Name']}: {explained(error)}") from error
        state = self.read(client, made["Id"], {"ipamOptions": inputs.get("ipamOptions")})
        return made["Id"], state or {}

    def read(self, client: DockerApi, resource_id: str, state: PlainMap) -> PlainMap | None:
        try:
            found = client.inspect_network(resource_id)
        except docker.errors.NotFound:
            return None
        configs: list[Plain] = [
            {
                "auxAddress": item.get("AuxiliaryAddresses") or {},
                "gateway": item.get("Gateway", ""),
                "ipRange": item.get("IPRange", ""),
                "subnet": item.get("Subnet", ""),
            }
            for item in listed(found["IPAM"].get("Config"))
        ]
        return {
            "attachable": found["Attachable"],
            "driver": found["Driver"],
            "id": found["Id"],
            "ingress": found["Ingress"],
            "internal": found["Internal"],
            "ipamConfigs": configs,
            "ipamDriver": found["IPAM"]["Driver"],
            "ipamOptions": state.get("ipamOptions"),
            "ipv6": found["EnableIPv6"],
            "labels": [*labels_of(found["Labels"])],
            "name": found["Name"],
            "options": found["Options"] or {},
            "scope": found["Scope"],
        }

    def update(self, client: DockerApi, resource_id: str, state: PlainMap, inputs: PlainMap) -> PlainMap:
        return self.schema.planned(state, inputs)

    def delete(self, client: DockerApi, resource_id: str, state: PlainMap) -> None:
        remove_when_free(lambda: client.remove_network(resource_id), f"network {state.get('name')}", _REMOVE_SECONDS)

    def deletes_first(self, state: PlainMap, inputs: PlainMap) -> bool:
        return same_explicit_name(state, inputs)


def _ipam(item: PlainMap) -> dict[str, Any]:
    declared = {"Subnet": item.get("subnet"), "Gateway": item.get("gateway"), "IPRange": item.get("ipRange")}
    auxiliary = mapping(item.get("auxAddress"))
    return {key: value for key, value in declared.items() if value} | (
        {"AuxiliaryAddresses": auxiliary} if auxiliary else {}
    )
