"""The command plugin's double: each call to the resource it is for.

Owns: identifiers, secrets and unknowns of commands; that a preview runs nothing.
Deliberately does not: know how a command is run.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import cast

from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental.property_value import PropertyValue

from lab.doubles.plugins.command_plugin import copy, local, remote
from lab.doubles.plugins.command_plugin.common import Run, command_diff, command_for_update, previewed
from lab.doubles.plugins.command_plugin.process import Children
from lab.doubles.plugins.command_plugin.ssh import CONNECTION_DEFAULTS
from lab.doubles.plugins.frame.facts import AllowedHosts
from lab.doubles.plugins.frame.schema import Schema
from lab.doubles.plugins.frame.serve import EngineLog, PluginError, serve
from lab.doubles.plugins.frame.values import PlainMap, plain_map, secret_keys, text, wire, wire_map

VERSION = "1.2.1"
_LOCAL, _REMOTE, _COPY = "command:local:Command", "command:remote:Command", "command:remote:CopyToRemote"
_SCHEMAS: dict[str, Schema] = {_LOCAL: local.SCHEMA, _REMOTE: remote.SCHEMA, _COPY: copy.SCHEMA}


class CommandDouble(sdk.Provider):
    def __init__(self, hosts: AllowedHosts, log: EngineLog) -> None:
        self._hosts = hosts
        self._log = log
        self._children = Children()

    async def configure(self, request: sdk.ConfigureRequest) -> sdk.ConfigureResponse:
        return sdk.ConfigureResponse(accept_secrets=True, supports_preview=True)

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        inputs = dict(request.new_inputs)
        _kind(request.type)
        connection = inputs.get("connection")
        if connection is not None and isinstance(connection.value, Mapping):
            inputs["connection"] = _with_defaults(connection)
        return sdk.CheckResponse(inputs=inputs)

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        schema = _SCHEMAS[_kind(request.type)]
        return command_diff(schema, plain_map(request.old_state), plain_map(request.new_inputs), request.ignore_changes)

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        kind, inputs, hidden = _kind(request.type), plain_map(request.properties), secret_keys(request.properties)
        if request.preview:
            return sdk.CreateResponse("", wire_map(inputs if kind == _COPY else previewed(inputs), hidden))
        if kind == _COPY:
            await asyncio.to_thread(copy.copy, self._children, self._hosts, inputs)
            return sdk.CreateResponse(secrets.token_hex(4), wire_map(inputs, hidden))
        made: PlainMap = {"stdout": "", "stderr": ""}
        if inputs.get("create") is not None:
            made = await self._run(kind, Run(request.urn, inputs, {}, self._log), text(inputs["create"]))
        # Only an output with the name of a secret input is secret: what a command prints is shown (a known trap).
        return sdk.CreateResponse(f"{request.name}{secrets.token_hex(4)}", wire_map(inputs | made, hidden))

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        kind, hidden = _kind(request.type), secret_keys(request.news)
        state, inputs = plain_map(request.olds), plain_map(request.news)
        if kind == _COPY:
            if not request.preview and copy.must_copy(state, inputs):
                await asyncio.to_thread(copy.copy, self._children, self._hosts, inputs)
            return sdk.UpdateResponse(wire_map(inputs, hidden))
        if request.preview:
            return sdk.UpdateResponse(wire_map(previewed(inputs), hidden))
        made: PlainMap = {key: state.get(key) for key in ("stdout", "stderr", "assets", "archive") if key in state}
        command = command_for_update(inputs)
        if command is not None:
            made |= await self._run(kind, Run(request.urn, inputs, state, self._log), command)
        return sdk.UpdateResponse(wire_map(inputs | made, hidden))

    async def delete(self, request: sdk.DeleteRequest) -> None:
        kind, state = _kind(request.type), plain_map(request.properties)
        if kind != _COPY and state.get("delete") is not None:
            await self._run(kind, Run(request.urn, state, state, self._log), text(state["delete"]))

    async def invoke(self, request: sdk.InvokeRequest) -> sdk.InvokeResponse:
        if request.tok != "command:local:run":
            raise PluginError(f"The lab's command plugin has no {request.tok}: it knows command:local:run.")
        inputs = plain_map(request.args)
        made = await self._run(_LOCAL, Run("", inputs, {}, self._log), text(inputs["command"]))
        return sdk.InvokeResponse(wire_map(inputs | made, secret_keys(request.args)))

    async def cancel(self) -> None:
        await asyncio.to_thread(self._children.end)

    async def _run(self, kind: str, request: Run, command: str) -> PlainMap:
        if kind == _LOCAL:
            return await asyncio.to_thread(local.run, self._children, request, command)
        return await asyncio.to_thread(remote.run, self._children, self._hosts, request, command)


def _kind(resource_type: str) -> str:
    kind = resource_type.split("$")[-1]
    if kind not in _SCHEMAS:
        raise PluginError(f"The lab's command plugin has no {kind}: it knows {', '.join(sorted(_SCHEMAS))}.")
    return kind


def _with_defaults(connection: PropertyValue) -> PropertyValue:
    own = dict(cast("Mapping[str, PropertyValue]", connection.value))
    return connection.with_value({key: wire(value) for key, value in CONNECTION_DEFAULTS.items()} | own)


def main() -> None:
    hosts = AllowedHosts.of_installation()

    def make(log: EngineLog) -> sdk.Provider:
        return CommandDouble(hosts, log)

    serve(make, VERSION)
