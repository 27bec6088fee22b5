"""The stdio backends: the socket at which the gateway's children hand over their pipes, and each server's state.

Owns: that socket, one relay a child (bridge/relay.py), the states, and the servers' stderr in the container's log.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence

from .backend_session import BackendFailed
from .configuration import Settings
from .messages import Message
from .pipes import reader, writer
from .relay import Relay
from .server_life import END_SECONDS, BackendState
from .servers import Servers

_BURST_LINES = 100
_LINES_A_SECOND = 10.0
_POLL_SECONDS = 0.2

_log = logging.getLogger("bridge")


class StdioBackends:
    """`states` by backend: its server's state, counters and the reason of its last end."""

    def __init__(self, settings: Settings, channel: socket.socket) -> None:
        self._settings = settings
        self._servers = Servers(channel)
        self._serving: dict[str, Relay] = {}
        self._relays: set[asyncio.Task[None]] = set()
        self._listener: socket.socket | None = None
        self.states: Mapping[str, BackendState] = {name: BackendState(name) for name in settings.stdio_servers}
        self._logs = {name: ServerLog(name) for name in settings.stdio_servers}

    def listen(self) -> None:
        """Open the socket, in a folder that only the bridge's own user may enter."""
        address = self._settings.launcher_socket
        address.parent.mkdir(mode=0o700, exist_ok=True)
        address.unlink(missing_ok=True)
        listener = self._listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(address))
        listener.listen()
        listener.setblocking(False)
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def backends_of(self, tool: str) -> list[str]:
        """The backends that have this tool."""
        return [name for name, state in self.states.items() if tool in state.tools]

    @property
    def names(self) -> Sequence[str]:
        return tuple(self.states)

    async def probe(self, name: str) -> Message:
        """The server's answer to tools/list, once it serves; raises BackendFailed where it cannot start."""
        while True:
            relay = self._serving.get(name)
            if relay is not None and relay.is_serving:
                return await relay.probe()
            if relay is not None and relay.is_hopeless:
                raise BackendFailed(f"its server {self.states[name].reason}")
            await asyncio.sleep(_POLL_SECONDS)

    def is_busy(self, name: str) -> bool:
        """True while the server has a call of a gateway's."""
        relay = self._serving.get(name)
        return relay is not None and relay.is_busy

    async def stop(self) -> None:
        """End every server; the gateway's children end with their connections."""
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
        for task in list(self._relays):
            task.cancel()
        if self._relays:
            await asyncio.wait(list(self._relays), timeout=2 * END_SECONDS + 1)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            connection, _ = listener.accept()
            task = asyncio.create_task(self._serve(connection))
            self._relays.add(task)
            task.add_done_callback(self._relays.discard)

    async def _serve(self, connection: socket.socket) -> None:
        """One child of the gateway: its name and its pipes, then its relay."""
        connection.setblocking(False)
        name, descriptors = await _received(connection)
        if name not in self.states or len(descriptors) != 2:
            _log.error("a child of the gateway gave the name %r, which is no stdio backend", name)
            for descriptor in descriptors:
                os.close(descriptor)
            connection.close()
            return
        log = self._logs[name]
        relay = Relay(self.states[name], self._servers, self._settings.answer_limit_bytes, log.event, log.line)
        self._serving[name] = relay
        stream, answer = await asyncio.open_connection(sock=connection)
        gone = asyncio.create_task(stream.read(1))
        try:
            from_gateway = await reader(descriptors[0], self._settings.answer_limit_bytes)
            await relay.run(from_gateway, await writer(descriptors[1]), gone)
        finally:
            gone.cancel()
            answer.close()


class ServerLog:
    """A server's lines in the container's log, each with its backend's name, at a limited rate."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._left = float(_BURST_LINES)
        self._at = time.monotonic()
        self._omitted = 0

    def event(self, sentence: str) -> None:
        """A sentence of the bridge's own about the server."""
        _log.info("%s: %s", self._name, sentence)

    def line(self, line: bytes) -> None:
        """A line of the server's own."""
        moment = time.monotonic()
        self._left = min(float(_BURST_LINES), self._left + (moment - self._at) * _LINES_A_SECOND)
        self._at = moment
        if self._left < 1:
            self._omitted += 1
            return
        if self._omitted:
            self._print(f"({self._omitted} lines left out)")
            self._omitted = 0
        self._left -= 1
        self._print(line.decode(errors="replace"))

    def _print(self, text: str) -> None:
        shown = "".join(character if character.isprintable() else " " for character in text[:2000])
        print(f"[{self._name}] {shown}", file=sys.stderr, flush=True)


async def _received(connection: socket.socket) -> tuple[str, list[int]]:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(connection, lambda: None if ready.done() else ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(connection)
    content, descriptors, _, _ = socket.recv_fds(connection, 256, 2)
    return content.decode(errors="replace"), descriptors
