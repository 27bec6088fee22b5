"""The HTTP backends as the gateway sees them: a loopback endpoint for each, which keeps the MCP session for it.

The gateway keeps no session, reads one event of a stream, and skips for good a backend that does not answer when it
starts (`reference/sentinel-behaviour.md`). Here it always finds each one; a backend that is away has no tools at first,
and when its tools appear or change, the gateway is renewed.

Owns: the wait for the backends before a gateway's first start, their watch.
Deliberately does not: limit a call. The gateway does, and closes its connection when the time is over.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
from collections.abc import Awaitable, Collection, Mapping, Sequence
from typing import Any, cast

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .backend_session import BackendFailed, BackendSession
from .calls import REQUEST_CANCELLED
from .configuration import HttpBackendSettings
from .messages import Message, NotStrict, dumped, failure, strict

KEY_VARIABLE = "BACKEND_SHARED_SECRET"
"""The gateway's variable for what it sends as X-Sentinel-Auth."""
_KEY_HEADER = "X-Sentinel-Auth"
_POLL_SECONDS = 0.25
_WATCH_SECONDS = 2.0
_PING_SECONDS = 5.0

_log = logging.getLogger("bridge")


class HttpBackend:
    """One backend: its session, its tools (None: not known yet), and those that the gateway was given."""

    def __init__(self, name: str, settings: HttpBackendSettings, headers: Mapping[str, str], limit: int) -> None:
        self.name = name
        self.waited_for = settings.waited_for
        self.session = BackendSession(settings.url, headers, limit)
        self.known = asyncio.Event()
        self.tools: list[Message] | None = None
        self.tool_names: frozenset[str] = frozenset()
        self._given: list[Message] | None = None
        self._listed = 0
        self._away = False

    def given(self) -> list[Message]:
        self._given = self.tools or []
        return self._given

    def has_changed(self) -> bool:
        """Compare the backend's tools with those that the gateway was given."""
        return self._given is not None and self.tools is not None and self.tools != self._given

    async def watch(self, changed: asyncio.Event) -> None:
        """Open the session where there is none, and read the tools of each new one, for ever."""
        while True:
            try:
                await self.session.open()
                if self.session.number != self._listed:
                    number = self.session.number
                    self.tools = await self.session.tools()
                    self.tool_names = frozenset(str(tool.get("name")) for tool in self.tools)
                    self._listed = number
                    self.known.set()
                if self._away:
                    self._away = False
                    _log.info("the backend %s answers again", self.name)
            except BackendFailed as error:
                if not self._away:
                    self._away = True
                    _log.warning("the backend %s is away: %s", self.name, error)
            if self.has_changed():
                changed.set()
            await asyncio.sleep(_WATCH_SECONDS if self.known.is_set() else _POLL_SECONDS)


class HttpBackends:
    """All of them: an ASGI application for the gateway, at /NAME/mcp. `key` is its X-Sentinel-Auth."""

    def __init__(
        self,
        settings: Mapping[str, HttpBackendSettings],
        key: str,
        own_key: bool,
        limits: tuple[float, int],
    ) -> None:
        self._key = key
        self._limit_seconds, answer_bytes = limits
        # A key of the operator's is for the backends too.
        headers = {} if own_key else {_KEY_HEADER: key}
        self._backends = {name: HttpBackend(name, item, headers, answer_bytes) for name, item in settings.items()}
        self._waited: set[str] = set()
        self._awaited: set[str] = set()
        self._changed = asyncio.Event()
        self._calls: dict[asyncio.Task[Message], str] = {}
        self._watches: list[asyncio.Task[None]] = []

    def watch(self) -> None:
        self._watches = [asyncio.create_task(one.watch(self._changed)) for one in self._backends.values()]

    def stop(self) -> None:
        for task in (*self._watches, *self._calls):
            task.cancel()
        for backend in self._backends.values():
            backend.session.close()

    @property
    def names(self) -> Sequence[str]:
        return tuple(self._backends)

    async def probe(self, name: str) -> Message:
        """The backend's answer to tools/list; raises BackendFailed."""
        return await self._backends[name].session.request("tools/list", {})

    def is_busy(self, name: str) -> bool:
        """True while the backend has a call of a gateway's."""
        return name in self._calls.values()

    def cancel_calls(self, names: Collection[str]) -> None:
        """Give up the call in work at these backends of one gateway: it passes on one at a time."""
        for task, name in list(self._calls.items()):
            if name in names:
                task.cancel("cancelled by the client")

    @property
    def tools(self) -> Mapping[str, Collection[str]]:
        """The names of each backend's tools."""
        return {name: backend.tool_names for name, backend in self._backends.items()}

    def backends_of(self, tool: str) -> list[str]:
        """The backends that have this tool."""
        return [name for name, backend in self._backends.items() if tool in backend.tool_names]

    def awaited(self) -> tuple[str, ...]:
        """The backends that a gateway's start waits for."""
        return tuple(name for name in self._backends if name in self._awaited)

    async def changed(self) -> tuple[str, ...]:
        """The backends whose tools the gateway does not have, once there is one."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            if names := tuple(name for name, backend in self._backends.items() if backend.has_changed()):
                return names

    async def before_start(self, names: Collection[str], stopping: asyncio.Event) -> None:
        """Wait for these, before the first start only; it ends at once when the bridge is stopped."""
        waited_for = [self._backends[name] for name in names if name in self._backends and name not in self._waited]
        self._waited.update(names)
        knowing = {one.name: asyncio.create_task(one.known.wait()) for one in waited_for if one.waited_for}
        finished = [asyncio.create_task(_all_done(knowing)), asyncio.create_task(stopping.wait())]
        for name, task in knowing.items():
            self._awaited.add(name)
            task.add_done_callback(lambda _, name=name: self._awaited.discard(name))
        try:
            await asyncio.wait(finished, timeout=_POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if (late := _pending(knowing)) and not stopping.is_set():
                _log.info("the gateway's start waits up to %g s for %s", self._limit_seconds, ", ".join(late))
                await asyncio.wait(finished, timeout=self._limit_seconds, return_when=asyncio.FIRST_COMPLETED)
            missing = _pending(knowing)
        finally:
            for task in (*finished, *knowing.values()):
                task.cancel()
        if missing and not stopping.is_set():
            text = ", ".join(missing)
            _log.error("no tools within %g s: the gateway starts without %s", self._limit_seconds, text)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        with contextlib.suppress(ClientDisconnect):
            response = await self._handle(request)
            await response(scope, receive, send)

    async def _handle(self, request: Request) -> Response:
        given = request.headers.get(_KEY_HEADER, "")
        if not hmac.compare_digest(given.encode(), self._key.encode()):
            return Response("this address is the gateway's alone", 401)
        backend = self._backends.get(str(request.scope["path"]).removeprefix("/").removesuffix("/mcp"))
        if backend is None or request.method != "POST":
            return Response("no such backend", 404)
        try:
            message = cast("Message", strict(await request.body())[0])
            method, own_id = message["method"], message.get("id")
        except (NotStrict, KeyError, TypeError):
            return Response("no JSON-RPC request", 400)
        if own_id is None:
            return Response(status_code=202)
        try:
            answer = await self._answer(backend, str(method), message.get("params") or {}, request)
        except BackendFailed as error:
            if method != "ping":
                _log.warning("the backend %s failed at %s: %s", backend.name, method, error)
            # The gateway's message for the client has this text; as an HTTP error its breaker and gauge count it.
            return Response(str(error), 502)
        return Response(dumped({"jsonrpc": "2.0", "id": own_id, **answer}), media_type="application/json")

    async def _answer(self, backend: HttpBackend, method: str, parameters: Message, request: Request) -> Message:
        if method == "initialize":
            own = {"name": backend.name, "version": "1"}
            return {"result": {"protocolVersion": "2025-03-26", "capabilities": {"tools": {}}, "serverInfo": own}}
        if method == "tools/list":
            return {"result": {"tools": backend.given()}}
        if method == "ping":
            try:
                return await asyncio.wait_for(backend.session.request("ping", {}), _PING_SECONDS)
            except TimeoutError:
                raise BackendFailed(f"no answer to ping within {_PING_SECONDS:g} s") from None
        return await self._call(backend.name, backend.session.request(method, parameters), request)

    async def _call(self, name: str, work: Awaitable[Message], request: Request) -> Message:
        """A call that ends with the gateway's connection, or when its client gives it up."""

        async def run() -> Message:
            return await work

        task = asyncio.create_task(run())
        gone = asyncio.create_task(_gone(request))
        self._calls[task] = name
        try:
            await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
            task.cancel()
            return await task
        except asyncio.CancelledError:
            if not task.done():
                raise
            return failure(REQUEST_CANCELLED, "Request cancelled")
        finally:
            task.cancel()
            gone.cancel()
            self._calls.pop(task, None)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _all_done(tasks: Mapping[str, asyncio.Task[Any]]) -> None:
    for task in tasks.values():
        await asyncio.wait([task])


def _pending(tasks: Mapping[str, asyncio.Task[Any]]) -> tuple[str, ...]:
    return tuple(name for name, task in tasks.items() if not task.done())
