"""The way between the gateway and one stdio server: what the gateway takes for its child.

Owns: the handshake with each new server; an answer to every request, an error where the server gives none; all pages
of tools/list as one; answers to the server's own requests, for which the gateway has no ear.
Deliberately does not: know a tool, start a server (bridge/server_life.py), or repeat a call that a server had begun.
"""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from typing import Any, cast

from .catalogue import NoCatalogue, catalogue
from .messages import Message, NotStrict, dumped, failure, outcome, own_answer, strict
from .pipes import lines
from .server_life import BackendState, ServerLife
from .servers import Servers

SERVER_LOST = -32000
"""JSON-RPC code for "the server gave no usable answer", from the range that JSON-RPC leaves to servers."""
_HOLD_SECONDS = 10.0
"""A request waits so long for a server that is being started again; then it is refused."""
_OWN_IDS = 2**52
"""Ids of the bridge's own requests; the gateway counts from 1."""


class Relay:
    """One child of the gateway, for as long as the gateway keeps it. `log` takes a sentence about the server."""

    def __init__(
        self,
        state: BackendState,
        servers: Servers,
        limit: int,
        log: Callable[[str], None],
        noise: Callable[[bytes], None],
    ) -> None:
        self._state, self._limit, self._log, self._noise = state, limit, log, noise
        self._life = ServerLife(state, servers, limit, log, noise)
        self._to_gateway: StreamWriter | None = None
        self._hello: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._hello_answered = False
        self._greeted: Message | None = None
        self._waiting: dict[Any, Message] = {}
        self._under_way: dict[Any, Message] = {}
        self._own: dict[int, asyncio.Future[Message]] = {}
        self._last_id = _OWN_IDS
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, from_gateway: StreamReader, to_gateway: StreamWriter, gone: asyncio.Task[Any]) -> None:
        """Serve until the gateway closes its end, or its child is `gone`."""
        self._to_gateway = to_gateway
        reading = asyncio.create_task(self._read_gateway(from_gateway))
        keeping = asyncio.create_task(self._keep_server())
        try:
            await asyncio.wait((reading, keeping, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reading, keeping, *self._tasks):
                task.cancel()
            await self._life.end()
            to_gateway.close()
            self._state.becomes("absent", "the gateway closed its end")

    @property
    def is_serving(self) -> bool:
        return self._life.serving

    @property
    def is_hopeless(self) -> bool:
        """True while the server's next start may be far away."""
        return self._life.hopeless and not self._life.serving

    @property
    def is_busy(self) -> bool:
        return bool(self._under_way)

    async def probe(self) -> Message:
        """The server's own answer to tools/list, its first page."""
        return await self._request("tools/list", {})

    async def _keep_server(self) -> None:
        await self._hello
        await self._life.keep(self)

    async def _read_gateway(self, reader: StreamReader) -> None:
        async for line, _ in lines(reader, self._limit):
            with contextlib.suppress(NotStrict):
                message, _ = strict(line)
                if isinstance(message, dict):
                    self._from_gateway(cast("Message", message))

    def _from_gateway(self, message: Message) -> None:
        method, own_id = message.get("method"), message.get("id")
        if method == "initialize":
            if not self._hello.done():
                self._hello.set_result(message)
            elif self._greeted is not None:
                self._answer(own_id, self._greeted)
        elif method == "notifications/initialized":
            pass
        elif own_id is None:
            if self._life.serving:
                self._life.send(message)
        elif self._life.serving:
            self._begin(message)
        elif self._life.hopeless:
            self._refuse(own_id)
        else:
            self._waiting[own_id] = message
            asyncio.get_running_loop().call_later(_HOLD_SECONDS, self._waited, own_id, message)

    def _waited(self, own_id: object, message: Message) -> None:
        if self._waiting.get(own_id) is message:
            del self._waiting[own_id]
            self._refuse(own_id)

    def _begin(self, message: Message) -> None:
        if message["method"] == "tools/list":
            task = asyncio.create_task(self._list_tools(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        self._under_way[message["id"]] = message
        self._life.send(message)

    async def _list_tools(self, message: Message) -> None:
        try:
            result = await catalogue(lambda parameters: self._request("tools/list", parameters), self._limit)
        except NoCatalogue as error:
            # A server that ended meanwhile has changed nothing by listing its tools.
            if "again" not in message:
                self._from_gateway({**message, "again": True})
            else:
                self._fail(message["id"], f"{self._state.name} {error}")
            return
        self._state.tools = frozenset(str(tool.get("name")) for tool in result["tools"])
        self._answer(message["id"], {"result": result})

    async def _request(self, method: str, parameters: Message) -> Message:
        """A request of the bridge's own: the whole answer, or one with an error when the server ends."""
        self._last_id += 1
        own = self._last_id
        future = self._own[own] = asyncio.get_running_loop().create_future()
        self._life.send({"jsonrpc": "2.0", "id": own, "method": method, "params": parameters})
        try:
            return await future
        finally:
            self._own.pop(own, None)

    async def greet(self) -> None:
        """Make the handshake; then begin the requests that waited for it."""
        hello = self._hello.result()
        self._greeted = await self._request("initialize", hello.get("params") or {})
        self._life.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        self._life.greeted()
        if not self._hello_answered:
            self._hello_answered = True
            self._answer(hello.get("id"), self._greeted)
        waiting, self._waiting = self._waiting, {}
        for message in waiting.values():
            self._begin(message)

    def receive(self, line: bytes, whole: bool) -> None:
        """Take one line of the server's stdout."""
        if not whole:
            self._unusable(f"answered with more than {self._limit} bytes")
            return
        try:
            message, clean = strict(line)
        except NotStrict as error:
            if line.lstrip().startswith(b"{") and b'"jsonrpc"' in line:
                self._unusable(f"answered with what is no JSON ({error})")
            else:
                self._noise(b"stdout: " + line)
            return
        if isinstance(message, dict):
            self._from_server(cast("Message", message), clean)
        else:
            self._noise(b"stdout: " + line)

    def _from_server(self, message: Message, line: bytes) -> None:
        own_id = message.get("id")
        if "method" in message:
            if own_id is None:
                self._write(line + b"\n")
            else:
                self._life.send(own_answer(message))
            return
        key = next((known for known in (*self._own, *self._under_way) if _same(known, own_id)), None)
        if future := self._own.get(cast("int", key)):
            if not future.done():
                future.set_result(message)
        elif self._under_way.pop(key, None) is not None:
            self._life.answered()
            self._write(line + b"\n" if type(own_id) is type(key) else dumped({**message, "id": key}))

    def _unusable(self, reason: str) -> None:
        """An answer that cannot be passed on belongs to the one call in work: the gateway makes one at a time.

        It may also be the bridge's own request's, which then fails too: nothing says which of the two.
        """
        self._log(f"its server {reason}: that call is answered with an error")
        if len(self._under_way) == 1:
            (own_id,) = self._under_way
            del self._under_way[own_id]
            self._fail(own_id, f"{self._state.name} {reason}")
        self._fail_own(f"{self._state.name} {reason}")

    def lost(self, reason: str) -> int:
        """Answer what was under way when the server ended; the number of calls."""
        lost, self._under_way = self._under_way, {}
        for own_id in lost:
            self._fail(own_id, reason)
        self._fail_own(reason)
        return len(lost)

    def given_up(self) -> None:
        """Answer what waits, the gateway's own handshake too, so that its start goes on without this backend."""
        waiting, self._waiting = self._waiting, {}
        for own_id in waiting:
            self._refuse(own_id)
        if not self._hello_answered:
            self._hello_answered = True
            self._fail(self._hello.result().get("id"), f"{self._state.name} {self._state.reason}")

    def _fail_own(self, reason: str) -> None:
        for future in list(self._own.values()):
            if not future.done():
                future.set_result(failure(SERVER_LOST, reason))

    def _refuse(self, own_id: object) -> None:
        self._fail(own_id, f"{self._state.name} is being started again ({self._state.reason}): try again later")

    def _fail(self, own_id: object, reason: str) -> None:
        self._state.failed_calls += 1
        self._answer(own_id, failure(SERVER_LOST, reason))

    def _answer(self, own_id: object, answer: Message) -> None:
        self._write(dumped({"jsonrpc": "2.0", "id": own_id, **outcome(answer)}))

    def _write(self, line: bytes) -> None:
        if self._to_gateway is not None and not self._to_gateway.is_closing():
            self._to_gateway.write(line)


def _same(known: object, given: object) -> bool:
    """An id that a server gave back as a text or with a fraction is still that id."""
    if isinstance(given, str) or isinstance(known, str):
        return str(known) == str(given)
    return known == given
