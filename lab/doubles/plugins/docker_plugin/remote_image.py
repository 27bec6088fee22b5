"""`docker.RemoteImage`.

Owns: finding an image by tag, pulling it where it is missing, removing it unless it is kept.
Deliberately does not: build images.
"""

from __future__ import annotations

from typing import Any

import docker.errors

from lab.doubles.plugins.docker_plugin.resource import DockerApi, explained
from lab.doubles.plugins.frame.schema import Field, Schema
from lab.doubles.plugins.frame.serve import PluginError
from lab.doubles.plugins.frame.values import PlainMap, text


class RemoteImage:
    meta = (
        '{"e2bfb730-ecaa-11e6-8f88-34363bc7c4c0":'
        '{"create":1200000000000,"delete":1200000000000,"update":1200000000000}}'
    )
    computed = ("imageId", "repoDigest")
    schema = Schema(
        fields={
            "name": Field(),
            "build": Field("block"),
            "forceRemove": Field(replace=False),
            "keepLocally": Field(replace=False),
            "platform": Field(),
            "pullTriggers": Field("set"),
            "triggers": Field("map"),
        },
        defaults={},
        autonamed=False,
    )

    def create(self, client: DockerApi, inputs: PlainMap) -> tuple[str, PlainMap]:
        name = text(inputs["name"])
        image = _local(client, name) or _pulled(client, name)
        return f"{image['Id']}{name}", _state(image, inputs)

    def read(self, client: DockerApi, resource_id: str, state: PlainMap) -> PlainMap | None:
        image = _local(client, text(state["name"]))
        return _state(image, state) if image else None

    def update(self, client: DockerApi, resource_id: str, state: PlainMap, inputs: PlainMap) -> PlainMap:
        return self.schema.planned(state, inputs)

    def delete(self, client: DockerApi, resource_id: str, state: PlainMap) -> None:
        if state.get("keepLocally"):
            return
        try:
            client.remove_image(text(state["name"]), force=bool(state.get("forceRemove")))
        except docker.errors.NotFound:
            return
        except docker.errors.APIError as error:
            raise PluginError(f"Unable to remove Docker image: {explained(error)}") from error

    def deletes_first(self, state: PlainMap, inputs: PlainMap) -> bool:
        return False


def _local(client: DockerApi, name: str) -> dict[str, Any] | None:
    try:
        return client.inspect_image(name)
    except docker.errors.NotFound:
        return None


def _pulled(client: DockerApi, name: str) -> dict[str, Any]:
    try:
        client.pull(name)
        return client.inspect_image(name)
    except docker.errors.APIError as error:
        raise PluginError(
            f"Unable to read Docker image into resource: unable to pull image {name}: {explained(error)}"
        ) from error


def _state(image: dict[str, Any], declared: PlainMap) -> PlainMap:
    digests = image.get("RepoDigests") or [""]
    name = text(declared["name"])
    return {
        "build": declared.get("build"),
        "forceRemove": declared.get("forceRemove"),
        "id": f"{image['Id']}{name}",
        "imageId": image["Id"],
        "keepLocally": declared.get("keepLocally"),
        "name": name,
        "platform": declared.get("platform"),
        "pullTriggers": declared.get("pullTriggers"),
        "repoDigest": digests[0],
        "triggers": declared.get("triggers"),
    }
