"""The MCP session with one HTTP backend, which the gateway does not keep (`reference/sentinel-behaviour.md`).

Owns: initialize and its repetition, session id and protocol version, event streams, the pages of the catalogue, and
answers to the backend's own requests.
Deliberately does not: repeat a request that the backend may have begun.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

from .catalogue import NoCatalogue, catalogue, reason_of
from .event_stream import event_data
from .http_client import HttpClient, HttpFailed, Response
from .messages import Message, NotStrict, dumped, outcome, own_answer, strict

PROTOCOL_VERSION = "2025-06-18"
"""The last version in which a server does not close a stream and expects the client to ask for its rest."""
_INITIALIZE: Message = {
    "protocolVersion": PROTOCOL_VERSION,
    "capabilities": {},
    "clientInfo": {"name": "sentinel-bridge", "version": "1"},
}
_OPEN_SECONDS = 10.0
_NOTIFY_SECONDS = 2.0
_ERROR_TEXT_BYTES = 300


class BackendFailed(Exception):
    """No usable answer of the backend: one clause."""


class _SessionEnded(Exception):
    """The backend has forgotten the session, for instance because it was restarted; it did nothing."""


class BackendSession:
    """Requests to one backend. `number` counts its sessions; 0: there has been none."""

    def __init__(self, url: str, headers: Mapping[str, str], answer_limit_bytes: int) -> None:
        self._http = HttpClient(url)
        self._fixed = {**headers, "Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        self._limit = answer_limit_bytes
        self._session: dict[str, str] | None = None
        self._opening = asyncio.Lock()
        self._ids = itertools.count(1)
        self.number = 0

    async def request(self, method: str, parameters: Message) -> Message:
        """The `result` or `error` of the answer; raises BackendFailed."""
        await self.open()
        try:
            return await self._cancellable(method, parameters)
        except _SessionEnded:
            await self.open()
        try:
            return await self._cancellable(method, parameters)
        except _SessionEnded as error:
            raise BackendFailed(str(error)) from None

    async def open(self) -> None:
        """Begin a session unless there is one; raises BackendFailed."""
        async with self._opening:
            if self._session is not None:
                return
            try:
                async with asyncio.timeout(_OPEN_SECONDS):
                    answer, session = await self._exchange("initialize", _INITIALIZE, {}, next(self._ids))
                    if "error" in answer:
                        raise BackendFailed(f"it refuses initialize: {reason_of(answer)}")
                    session["MCP-Protocol-Version"] = str(answer["result"].get("protocolVersion", PROTOCOL_VERSION))
                    await self._notify("notifications/initialized", {}, session)
            except TimeoutError:
                raise BackendFailed(f"no answer to initialize within {_OPEN_SECONDS:g} s") from None
            self._session = session
            self.number += 1

    async def tools(self) -> list[Message]:
        """The tools of all pages."""
        try:
            result = await catalogue(lambda parameters: self.request("tools/list", parameters), self._limit)
        except NoCatalogue as error:
            raise BackendFailed(f"it {error}") from None
        return result["tools"]

    def close(self) -> None:
        self._http.close()

    async def _cancellable(self, method: str, parameters: Message) -> Message:
        session, own_id = self._session, next(self._ids)
        assert session is not None
        try:
            return (await self._exchange(method, parameters, session, own_id))[0]
        except _SessionEnded:
            if self._session is session:
                self._session = None
            raise
        except asyncio.CancelledError:
            cancelled = {"requestId": own_id, "reason": "the client gave it up, or its time is over"}
            _in_background(self._quietly(self._notify("notifications/cancelled", cancelled, session)))
            raise

    async def _exchange(
        self, method: str, parameters: Message, session: dict[str, str], own_id: int
    ) -> tuple[Message, dict[str, str]]:
        """The answer, and the session that its head names."""
        request: Message = {"jsonrpc": "2.0", "id": own_id, "method": method, "params": parameters}
        try:
            async with self._http.post(dumped(request)[:-1], {**self._fixed, **session}) as response:
                # 404 is the specification's; the TypeScript SDK's example servers say 400.
                if response.status != 200:
                    ended = session and response.status in (400, 404)
                    text = f"HTTP {response.status}: {await self._text(response)}"
                    raise _SessionEnded(text) if ended else BackendFailed(text)
                named = response.headers.get("mcp-session-id")
                async for message in self._messages(response):
                    if "method" not in message and str(message.get("id")) == str(own_id):
                        if not (answer := outcome(message)):
                            raise BackendFailed("its answer has neither result nor error")
                        return answer, {"Mcp-Session-Id": named} if named else {}
                    if "method" in message and "id" in message:
                        _in_background(self._quietly(self._send(own_answer(message), session)))
        except HttpFailed as error:
            if session and str(error).startswith("no connection"):
                self._session = None
            raise BackendFailed(str(error)) from None
        except NotStrict as error:
            raise BackendFailed(f"its answer is no JSON that the gateway takes: {error}") from None
        raise BackendFailed("its answer ended without a result")

    async def _messages(self, response: Response) -> AsyncIterator[Message]:
        body = self._limited(response.body)
        if response.headers.get("content-type", "").lower().startswith("text/event-stream"):
            async for data in event_data(body):
                for message in _objects(strict(data)[0]):
                    yield message
            return
        for message in _objects(strict(b"".join([chunk async for chunk in body]))[0]):
            yield message

    async def _limited(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in body:
            size += len(chunk)
            if size > self._limit:
                raise BackendFailed(f"its answer has more than {self._limit} bytes")
            yield chunk

    async def _text(self, response: Response) -> str:
        text = b""
        async for chunk in response.body:
            text += chunk
            if len(text) > _ERROR_TEXT_BYTES:
                break
        return text[:_ERROR_TEXT_BYTES].decode(errors="replace")

    async def _notify(self, method: str, parameters: Message, session: dict[str, str]) -> None:
        await self._send({"jsonrpc": "2.0", "method": method, "params": parameters}, session)

    async def _send(self, message: Message, session: dict[str, str]) -> None:
        """A message without an answer; its status does not matter, as in the gateway."""
        try:
            async with self._http.post(dumped(message)[:-1], {**self._fixed, **session}):
                pass
        except HttpFailed as error:
            raise BackendFailed(str(error)) from None

    async def _quietly(self, sending: Any) -> None:
        with contextlib.suppress(BackendFailed, TimeoutError):
            await asyncio.wait_for(sending, _NOTIFY_SECONDS)


_tasks: set[asyncio.Task[None]] = set()


def _in_background(work: Any) -> None:
    task = asyncio.create_task(work)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


def _objects(value: object) -> list[Message]:
    """The messages of a JSON text; protocol 2025-03-26 has batches."""
    items = cast("list[object]", value) if isinstance(value, list) else [value]
    return [cast("Message", item) for item in items if isinstance(item, dict)]
