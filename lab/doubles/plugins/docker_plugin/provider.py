"""The docker plugin's double: configuration, and each call to the resource it is for.

Owns: the refusal of foreign Docker hosts before any request to them; secrets and unknowns of every resource.
Deliberately does not: know how a resource is made.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from typing import TypeVar

from docker.errors import APIError, DockerException
from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime.rpc import UNKNOWN

from lab.doubles.plugins.docker_plugin.container import Container
from lab.doubles.plugins.docker_plugin.host import DockerHost
from lab.doubles.plugins.docker_plugin.network import Network
from lab.doubles.plugins.docker_plugin.remote_image import RemoteImage
from lab.doubles.plugins.docker_plugin.resource import CreatedBadlyError, DockerApi, DockerResource, explained
from lab.doubles.plugins.docker_plugin.volume import Volume
from lab.doubles.plugins.frame.facts import AllowedHosts
from lab.doubles.plugins.frame.schema import Kind, diff_response
from lab.doubles.plugins.frame.serve import EngineLog, PartlyCreatedError, PluginError, serve
from lab.doubles.plugins.frame.values import (
    PlainMap,
    Properties,
    plain,
    plain_map,
    secret_keys,
    strings,
    text,
    wire,
    wire_map,
)

VERSION = "5.2.0"
_DEFAULT_HOST = "unix:///var/run/docker.sock"
_FAILED = "failedCreate"
_RESOURCES: dict[str, DockerResource] = {
    "docker:index/network:Network": Network(),
    "docker:index/volume:Volume": Volume(),
    "docker:index/remoteImage:RemoteImage": RemoteImage(),
    "docker:index/container:Container": Container(),
}
_Answer = TypeVar("_Answer")


class DockerDouble(sdk.Provider):
    def __init__(self, hosts: AllowedHosts) -> None:
        self._hosts = hosts
        self._docker: DockerHost | None = None

    async def check_config(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        inputs = dict(request.new_inputs)
        host = _host_of(inputs)
        if host != UNKNOWN:
            inputs["host"] = inputs.get("host") or PropertyValue(host)
            try:
                self._require(inputs, host)
            except PluginError as error:
                return sdk.CheckResponse(inputs=inputs, failures=[sdk.CheckFailure("host", str(error))])
        return sdk.CheckResponse(inputs=inputs)

    async def configure(self, request: sdk.ConfigureRequest) -> sdk.ConfigureResponse:
        host = _host_of(request.args)
        if host != UNKNOWN:
            self._require(request.args, host)
            self._docker = DockerHost(host, _list_of(request.args.get("sshOpts")))
        return sdk.ConfigureResponse(accept_secrets=True, supports_preview=True)

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        checked = _resource(request.type).schema.checked(request.name, request.old_inputs, request.new_inputs)
        return sdk.CheckResponse(inputs=checked)

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        resource = _resource(request.type)
        state, inputs = plain_map(request.old_state), plain_map(request.new_inputs)
        found = resource.schema.differences(state, inputs, request.ignore_changes)
        if _FAILED in text(state.get("__meta")):
            found["id"] = Kind.UPDATE_REPLACE
        return diff_response(found, delete_first=resource.deletes_first(state, inputs))

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        resource, inputs = _resource(request.type), plain_map(request.properties)
        hidden = secret_keys(request.properties)
        if request.preview:
            outputs: PlainMap = dict.fromkeys(resource.computed, UNKNOWN) | _declared(inputs)
            return sdk.CreateResponse(resource_id="", properties=wire_map(outputs, hidden))
        client = self._client()
        try:
            made, state = await self._call(lambda: resource.create(client(), inputs))
        except CreatedBadlyError as error:
            properties = wire_map(error.state | {"__meta": _failed(resource.meta)}, hidden)
            raise PartlyCreatedError(str(error), error.resource_id, properties, request.properties) from error
        return sdk.CreateResponse(resource_id=made, properties=wire_map(state | {"__meta": resource.meta}, hidden))

    async def read(self, request: sdk.ReadRequest) -> sdk.ReadResponse:
        resource, client = _resource(request.type), self._client()
        state = plain_map(request.properties)
        found = await self._call(lambda: resource.read(client(), request.resource_id, state))
        if found is None:
            return sdk.ReadResponse(resource_id="")
        hidden = secret_keys(request.properties) | secret_keys(request.inputs)
        found["__meta"] = state.get("__meta") or resource.meta
        inputs = _inputs_after_read(request.inputs, state, found)
        return sdk.ReadResponse(request.resource_id, wire_map(found, hidden), inputs)

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        resource, hidden = _resource(request.type), secret_keys(request.news)
        state, inputs = plain_map(request.olds), plain_map(request.news)
        if request.preview:
            return sdk.UpdateResponse(wire_map(resource.schema.planned(state, inputs), hidden))
        client = self._client()
        planned = await self._call(lambda: resource.update(client(), request.resource_id, state, inputs))
        return sdk.UpdateResponse(wire_map(planned, hidden))

    async def delete(self, request: sdk.DeleteRequest) -> None:
        resource, client = _resource(request.type), self._client()
        state = plain_map(request.properties)
        await self._call(lambda: resource.delete(client(), request.resource_id, state))

    async def cancel(self) -> None:
        if self._docker is not None:
            self._docker.close()

    def _require(self, inputs: Properties, host: str) -> None:
        self._hosts.require_docker_host(host)
        context = inputs.get("context")
        if context is not None and plain(context):
            raise PluginError(
                "The lab's docker plugin refuses `context`, which could name any Docker host: "
                "give the lab's `host` instead."
            )

    def _client(self) -> Callable[[], DockerApi]:
        if self._docker is None:
            raise PluginError("The docker provider's host is not known yet: give the provider a `host` that is.")
        return self._docker.client

    async def _call(self, work: Callable[[], _Answer]) -> _Answer:
        try:
            return await asyncio.to_thread(work)
        except APIError as error:
            raise PluginError(f"Docker answered: {explained(error)}") from error
        except DockerException as error:
            raise PluginError(f"Docker did not answer: {error}") from error


def _resource(kind: str) -> DockerResource:
    resource = _RESOURCES.get(kind.split("$")[-1])
    if resource is None:
        raise PluginError(f"The lab's docker plugin has no {kind}: it knows {', '.join(sorted(_RESOURCES))}.")
    return resource


def _host_of(inputs: Properties) -> str:
    host = inputs.get("host")
    return text(plain(host)) if host is not None else os.environ.get("DOCKER_HOST") or _DEFAULT_HOST


def _list_of(value: PropertyValue | None) -> list[str]:
    """Lists in a provider's configuration travel as JSON text."""
    items = plain(value) if value is not None else None
    return strings(json.loads(items)) if isinstance(items, str) else strings(items)


def _declared(inputs: PlainMap) -> PlainMap:
    return {key: value for key, value in inputs.items() if key != "__defaults"}


def _failed(meta: str) -> str:
    return json.dumps(json.loads(meta) | {_FAILED: True}, separators=(",", ":"))


def _inputs_after_read(inputs: Properties, before: PlainMap, after: PlainMap) -> Properties:
    """A property that was read differently becomes the input, so that the next diff is against the real resource."""
    result = dict(inputs)
    for key, value in inputs.items():
        if key in before and key in after and (before[key] or None) != (after[key] or None):
            result[key] = wire(after[key]).with_secret(value.contains_secret())
    return result


def main() -> None:
    hosts = AllowedHosts.of_installation()

    def make(log: EngineLog) -> sdk.Provider:
        return DockerDouble(hosts)

    serve(make, VERSION)
