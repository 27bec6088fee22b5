"""The gateway's HTTP backends: waited for before its start, and polled while one is missing.

The gateway skips for good an HTTP backend that does not accept a connection when it starts (`reference/sentinel.md`),
and after a reboot Docker starts it before its sidecars. So its first start waits for them, within a limit.

Owns: that wait, the answer of the health address during it, and the names of the missing ones.
Deliberately does not: speak MCP with a backend, or poll one that accepted a connection before the gateway's start.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator, Mapping

Address = tuple[str, int]

_CONNECT_SECONDS = 2.0
_POLL_SECONDS = 0.25
_MISSING_POLL_SECONDS = 2.0

_UNAVAILABLE = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n"
)

_log = logging.getLogger("bridge")


class HttpBackends:
    """Backends by name; `missing` are those that the gateway was started without."""

    def __init__(self, addresses: Mapping[str, Address], limit_seconds: float, health: Address | None) -> None:
        self._addresses = addresses
        self._limit_seconds = limit_seconds
        self._health = health
        self._waited = False
        self.missing: tuple[str, ...] = ()

    async def before_start(self, stopping: asyncio.Event) -> None:
        """Wait for all of them, at the first start only; it ends at once when the bridge is stopped.

        Later starts replace a gateway that died in use: one attempt, so that a sidecar that is down does not delay
        users of the others.
        """
        limit = _CONNECT_SECONDS if self._waited else self._limit_seconds
        self._waited = True
        connecting = {name: asyncio.create_task(_accepted(address)) for name, address in self._addresses.items()}
        finished = [asyncio.create_task(_all_done(connecting)), asyncio.create_task(stopping.wait())]
        try:
            await asyncio.wait(finished, timeout=_POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if (late := _pending(connecting)) and not stopping.is_set():
                _log.info("the gateway's start waits up to %g s for %s", limit, ", ".join(late))
                async with self._health_answer(connecting):
                    await asyncio.wait(finished, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            self.missing = _pending(connecting)
        finally:
            for task in (*finished, *connecting.values()):
                task.cancel()
        if self.missing and not stopping.is_set():
            names = ", ".join(self.missing)
            _log.error("no connection within %g s: the gateway starts without %s", limit, names)

    async def available(self) -> tuple[str, ...]:
        """The missing ones that accept a connection, once there is one."""
        while True:
            await asyncio.sleep(_MISSING_POLL_SECONDS)
            if available := [name for name in self.missing if await _accepts(self._addresses[name])]:
                return tuple(available)

    @contextlib.asynccontextmanager
    async def _health_answer(self, connecting: Mapping[str, asyncio.Task[None]]) -> AsyncGenerator[None]:
        """The gateway's health address answers 503 with the pending backends, until the gateway binds it."""

        async def answer(reader: StreamReader, writer: StreamWriter) -> None:
            body = json.dumps({"status": "waiting", "backends": list(_pending(connecting))}).encode()
            with contextlib.suppress(OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _CONNECT_SECONDS)
                writer.write(_UNAVAILABLE % len(body) + body)
                await writer.drain()
            writer.close()

        if self._health is None:
            yield
            return
        host, port = self._health
        try:
            server = await asyncio.start_server(answer, host, port)
        except OSError as error:
            _log.warning("%s:%d cannot report the pending backends: %s", host, port, error.strerror)
            yield
            return
        try:
            yield
        finally:
            # Not awaited: the port is free at once, and a silent client must not delay the start.
            server.close()


async def _all_done(tasks: Mapping[str, asyncio.Task[None]]) -> None:
    for task in tasks.values():
        await asyncio.wait([task])


def _pending(tasks: Mapping[str, asyncio.Task[None]]) -> tuple[str, ...]:
    return tuple(name for name, task in tasks.items() if not task.done())


async def _accepted(address: Address) -> None:
    while not await _accepts(address):
        await asyncio.sleep(_POLL_SECONDS)


async def _accepts(address: Address) -> bool:
    """A connection attempt in a thread that is not joined: Docker's DNS may take 10 s over an unknown name."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[bool] = loop.create_future()

    def report(accepts: bool) -> None:
        if not answered.done():
            answered.set_result(accepts)

    def connect() -> None:
        try:
            socket.create_connection(address, _CONNECT_SECONDS).close()
            accepts = True
        except OSError:
            accepts = False
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(report, accepts)

    threading.Thread(target=connect, daemon=True).start()
    return await answered
