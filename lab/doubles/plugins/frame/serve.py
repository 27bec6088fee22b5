"""Serves a provider on the SDK's own frame, with what the frame leaves out.

Owns: partial state after a failed create, errors as one sentence, hashes of assets, messages to the engine, an end with
the engine (also when the engine is killed).
Deliberately does not: know any resource.
"""

# The SDK's servicer leaves its requests untyped.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import grpc
import grpc.aio
from google.protobuf import struct_pb2
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.provider import Provider
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime import rpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, provider_pb2_grpc, status_pb2

from lab.doubles.plugins.frame.values import ASSET_SIGN, Properties

_MESSAGE_LIMIT = 400 * 1024 * 1024
_ASSET_SIGNS = {rpc._special_asset_sig, rpc._special_archive_sig}  # pyright: ignore[reportPrivateUsage]
_SIGN = rpc._special_sig_key  # pyright: ignore[reportPrivateUsage]


class PluginError(Exception):
    """A failure, in a sentence for the user."""


class PartlyCreatedError(PluginError):
    """The resource exists but is not as declared; the engine keeps it in state as a failed create."""

    def __init__(self, reason: str, resource_id: str, properties: Properties, inputs: Properties) -> None:
        super().__init__(reason)
        self.resource_id = resource_id
        self.properties = properties
        self.inputs = inputs


class EngineLog:
    """Messages to the engine, shown in its progress."""

    def __init__(self, address: str) -> None:
        self._stub = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))

    def info(self, urn: str, message: str) -> None:
        self._send(urn, message, engine_pb2.INFO)

    def warning(self, urn: str, message: str) -> None:
        self._send(urn, message, engine_pb2.WARNING)

    def _send(self, urn: str, message: str, severity: Any) -> None:
        self._stub.Log(engine_pb2.LogRequest(severity=severity, message=message, urn=urn))


class _Servicer(ProviderServicer):
    """The frame's servicer: every method through `_with_errors`, requests and responses with assets kept whole."""

    async def Check(self, request: Any, context: Any) -> Any:
        _hide_assets(request.olds)
        _hide_assets(request.news)
        answer = await _with_errors(super().Check, request, context)
        _show_assets(answer.inputs)
        return answer

    async def CheckConfig(self, request: Any, context: Any) -> Any:
        return await _with_errors(super().CheckConfig, request, context)

    async def Configure(self, request: Any, context: Any) -> Any:
        return await _with_errors(super().Configure, request, context)

    async def Diff(self, request: Any, context: Any) -> Any:
        _hide_assets(request.olds)
        _hide_assets(request.news)
        return await _with_errors(super().Diff, request, context)

    async def Create(self, request: Any, context: Any) -> Any:
        _hide_assets(request.properties)
        answer = await _with_errors(super().Create, request, context)
        _show_assets(answer.properties)
        return answer

    async def Update(self, request: Any, context: Any) -> Any:
        _hide_assets(request.olds)
        _hide_assets(request.news)
        answer = await _with_errors(super().Update, request, context)
        _show_assets(answer.properties)
        return answer

    async def Read(self, request: Any, context: Any) -> Any:
        _hide_assets(request.properties)
        _hide_assets(request.inputs)
        answer = await _with_errors(super().Read, request, context)
        _show_assets(answer.properties)
        _show_assets(answer.inputs)
        return answer

    async def Delete(self, request: Any, context: Any) -> Any:
        _hide_assets(request.properties)
        return await _with_errors(super().Delete, request, context)

    async def Invoke(self, request: Any, context: Any) -> Any:
        answer = await _with_errors(super().Invoke, request, context)
        _show_assets(getattr(answer, "return"))
        return answer


async def _with_errors(method: Callable[[Any, Any], Awaitable[Any]], request: Any, context: Any) -> Any:
    try:
        return await method(request, context)
    except PartlyCreatedError as error:
        await context.abort_with_status(_partly_created(error))
    except PluginError as error:
        await context.abort(grpc.StatusCode.UNKNOWN, str(error))


def _partly_created(error: PartlyCreatedError) -> grpc.Status:
    detail = provider_pb2.ErrorResourceInitFailed(
        id=error.resource_id,
        properties=PropertyValue.marshal_map(error.properties),
        inputs=PropertyValue.marshal_map(error.inputs),
        reasons=[str(error)],
    )
    carried = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error))
    carried.details.add().Pack(detail)
    status = grpc.Status()
    status.code = grpc.StatusCode.UNKNOWN
    status.details = str(error)
    status.trailing_metadata = (("grpc-status-details-bin", carried.SerializeToString()),)
    return status


def _hide_assets(struct: struct_pb2.Struct) -> None:
    _each_struct(struct, _SIGN, ASSET_SIGN)


def _show_assets(struct: struct_pb2.Struct) -> None:
    _each_struct(struct, ASSET_SIGN, _SIGN)


def _each_struct(struct: struct_pb2.Struct, old: str, new: str) -> None:
    sign = struct.fields.get(old)
    if sign is not None and sign.string_value in _ASSET_SIGNS:
        struct.fields[new].string_value = sign.string_value
        del struct.fields[old]
    pending = list(struct.fields.values())
    while pending:
        value = pending.pop()
        if value.HasField("struct_value"):
            _each_struct(value.struct_value, old, new)
        elif value.HasField("list_value"):
            pending.extend(value.list_value.values)


def serve(make: Callable[[EngineLog], Provider], version: str) -> None:
    """Prints the port that the engine is to call, and serves until the engine ends the plugin, or is gone."""
    address = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), "")
    if not address:
        raise SystemExit("This plugin is started by the Pulumi engine, which names its own address; run `pulumi up`.")
    asyncio.run(_serve(make(EngineLog(address)), version, address))


async def _serve(double: Provider, version: str, address: str) -> None:
    server = grpc.aio.server(
        options=[("grpc.max_receive_message_length", _MESSAGE_LIMIT), ("grpc.max_send_message_length", _MESSAGE_LIMIT)]
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(_Servicer([], version, double, address), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    _watch_engine(asyncio.get_running_loop(), ended)
    await ended.wait()
    await double.cancel()
    _leave()


def _watch_engine(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    engine = os.getppid()

    def watch() -> None:
        # The kernel has no event for "my parent went" that a thread can wait on without a race.
        pause = threading.Event()
        while os.getppid() == engine:
            pause.wait(1)
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=watch, daemon=True).start()


def _leave() -> NoReturn:
    # Worker threads may hang in a call to Docker that is of no use any more.
    sys.stdout.flush()
    os._exit(0)
