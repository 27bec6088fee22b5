"""`docker.Volume`.

Owns: create, read, delete of a volume and the shape of its state.
Deliberately does not: cluster volumes.
"""

from __future__ import annotations

import docker.errors

from lab.doubles.plugins.docker_plugin.resource import DockerApi, explained, remove_when_free, same_explicit_name
from lab.doubles.plugins.frame.schema import Field, Schema
from lab.doubles.plugins.frame.serve import PluginError
from lab.doubles.plugins.frame.values import PlainMap, items, mapping, text

_REMOVE_SECONDS = 20.0


class Volume:
    meta = '{"schema_version":"1"}'
    computed = ("driver", "mountpoint")
    schema = Schema(
        fields={
            "name": Field(),
            "driver": Field(computed=True),
            "driverOpts": Field("map"),
            "labels": Field("set"),
            "cluster": Field("block"),
        },
        defaults={},
    )

    def create(self, client: DockerApi, inputs: PlainMap) -> tuple[str, PlainMap]:
        name = text(inputs["name"])
        labels = {text(item["label"]): text(item.get("value")) for item in items(inputs.get("labels"))}
        try:
            client.create_volume(
                name,
                driver=text(inputs.get("driver")) or None,
                driver_opts=mapping(inputs.get("driverOpts")) or None,
                labels=labels or None,
            )
        except docker.errors.APIError as error:
            raise PluginError(f"Unable to create volume {name}: {explained(error)}") from error
        state = self.read(client, name, {"driverOpts": inputs.get("driverOpts"), "labels": inputs.get("labels")})
        return name, state or {}

    def read(self, client: DockerApi, resource_id: str, state: PlainMap) -> PlainMap | None:
        try:
            found = client.inspect_volume(resource_id)
        except docker.errors.NotFound:
            return None
        return {
            "cluster": None,
            "driver": found["Driver"],
            "driverOpts": found.get("Options") or state.get("driverOpts"),
            "id": found["Name"],
            "labels": [{"label": item["label"], "value": item.get("value")} for item in items(state.get("labels"))],
            "mountpoint": found["Mountpoint"],
            "name": found["Name"],
        }

    def update(self, client: DockerApi, resource_id: str, state: PlainMap, inputs: PlainMap) -> PlainMap:
        return self.schema.planned(state, inputs)

    def delete(self, client: DockerApi, resource_id: str, state: PlainMap) -> None:
        remove_when_free(lambda: client.remove_volume(resource_id), f"volume {resource_id}", _REMOVE_SECONDS)

    def deletes_first(self, state: PlainMap, inputs: PlainMap) -> bool:
        return same_explicit_name(state, inputs)
