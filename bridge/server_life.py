"""The life of one stdio server: its start, its end and its next start, behind the gateway's back.

Owns: the restarts with backoff, the time limit of the handshake, the server's state for health and metrics, and its
stderr.
Deliberately does not: know a message; its relay does (bridge/relay.py).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .messages import Message, dumped
from .pipes import lines
from .servers import Server, ServerFailed, Servers

END_SECONDS = 2.0
_HANDSHAKE_SECONDS = 25.0
_DELAYS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Before the next start, by the number of ends in a row; after a minute of service the count is zero again."""
_HOPELESS_AFTER = 3
"""After so many ends in a row a request is refused at once: the gateway answers nobody else while it waits."""
_STABLE_SECONDS = 60.0
_STDERR_LINE_BYTES = 4096


@dataclass
class BackendState:
    """The state of one stdio backend's server, and why it last ended."""

    name: str
    state: str = "absent"
    reason: str = ""
    since: float = 0.0
    starts: int = 0
    deaths: int = 0
    failed_calls: int = 0
    tools: frozenset[str] = frozenset()

    def becomes(self, state: str, reason: str = "") -> None:
        self.state, self.reason, self.since = state, reason or self.reason, time.time()


class Client(Protocol):
    """The user of a server, whichever life it is in."""

    async def greet(self) -> None:
        """Make the handshake with a new server."""

    def receive(self, line: bytes, whole: bool) -> None:
        """Take one line of its stdout."""

    def lost(self, reason: str) -> int:
        """Answer what was under way when it ended; the number of calls."""
        ...

    def given_up(self) -> None:
        """Answer what waits, since the next start may be far away."""


class ServerLife:
    """One server after the other. `log` takes a sentence about it, `noise` a line of its own."""

    def __init__(
        self,
        state: BackendState,
        servers: Servers,
        limit_bytes: int,
        log: Callable[[str], None],
        noise: Callable[[bytes], None],
    ) -> None:
        self._state, self._servers, self._limit, self._log, self._noise = state, servers, limit_bytes, log, noise
        self._server: Server | None = None
        self._ends = 0
        self.serving = False

    @property
    def hopeless(self) -> bool:
        return self._ends >= _HOPELESS_AFTER

    def send(self, message: Message) -> None:
        if self._server is not None and not self._server.stdin.is_closing():
            self._server.stdin.write(dumped(message))

    def greeted(self) -> None:
        """Take calls: the handshake is made."""
        self.serving = True
        self._state.becomes("serving")

    def answered(self) -> None:
        """Reset the delays: a server that answers is no server that cannot start."""
        self._ends = 0

    async def end(self) -> None:
        if self._server is not None:
            await self._servers.end(self._server, END_SECONDS)

    async def keep(self, client: Client) -> None:
        """Start the server, again and again after its ends."""
        while True:
            began = time.monotonic()
            reason = await self._serve_once(client)
            if time.monotonic() - began > _STABLE_SECONDS:
                self._ends = 0
            delay = _DELAYS[min(self._ends, len(_DELAYS) - 1)]
            self._ends += 1
            self._state.deaths += 1
            self._state.becomes("ended", reason)
            lost = client.lost(f"{self._state.name} {reason} before it answered")
            calls = f"{lost} call{'' if lost == 1 else 's'}"
            self._log(f"its server {reason}; {calls} answered with an error; next start in {delay:g} s")
            if self.hopeless:
                client.given_up()
            await asyncio.sleep(delay)

    async def _serve_once(self, client: Client) -> str:
        """One life of the server; why it ended."""
        began = time.monotonic()
        self._state.starts += 1
        self._state.becomes("starting")
        try:
            server = self._server = await self._servers.start(self._state.name)
        except ServerFailed as error:
            return f"was not started ({error})"
        stdout = asyncio.create_task(self._read_stdout(server, client))
        stderr = asyncio.create_task(self._read_stderr(server))
        try:
            greeting = asyncio.create_task(client.greet())
            await asyncio.wait(
                (greeting, server.ended, stdout), timeout=_HANDSHAKE_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if greeting.done():
                self._log(f"its server serves (process {server.pid}, {time.monotonic() - began:.1f} s)")
                await asyncio.wait((server.ended, stdout), return_when=asyncio.FIRST_COMPLETED)
            greeting.cancel()
            silent = not server.ended.done() and not stdout.done()
            closed = not server.ended.done() and not silent
            if closed:
                # Its stdout ends a moment before its process; one that goes on without stdout is ended.
                await asyncio.wait([server.ended], timeout=0.5)
                closed = not server.ended.done()
            self.serving = False
            await self._servers.end(server, END_SECONDS)
            if silent:
                return f"gave no answer to initialize within {_HANDSHAKE_SECONDS:g} s and was ended"
            return "closed its stdout and was ended" if closed else _ended(server.ended.result())
        finally:
            self.serving = False
            if server.ended.done():
                self._server = None
            await asyncio.wait((stdout, stderr), timeout=0.2)
            for task in (stdout, stderr):
                task.cancel()

    async def _read_stdout(self, server: Server, client: Client) -> None:
        async for line, whole in lines(server.stdout, self._limit):
            if line.strip():
                client.receive(line, whole)

    async def _read_stderr(self, server: Server) -> None:
        async for line, _ in lines(server.stderr, _STDERR_LINE_BYTES):
            self._noise(line)


def _ended(code: int) -> str:
    return f"ended (exit code {code})" if code >= 0 else f"ended (signal {-code})"
