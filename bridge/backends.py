"""The gateway's HTTP backends: there before it is started, or missed and looked for again.

The gateway skips for good an HTTP backend that does not accept a connection when it starts (`reference/sentinel.md`),
and after a reboot Docker starts it before its sidecars. So its first start waits for them, within a limit.

Owns: that wait, what the health address says during it, and the names of those that are missing.
Deliberately does not: speak MCP with a backend, nor look at one that was there when the gateway started.
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
        """Waits for all of them, at the first start only; it ends at once when the bridge is stopped.

        Later starts heal a gateway that died while it was in use: one look, so that a sidecar that is down holds up
        nobody who uses the others.
        """
        limit = _CONNECT_SECONDS if self._waited else self._limit_seconds
        self._waited = True
        looks = {name: asyncio.create_task(_accepted(address)) for name, address in self._addresses.items()}
        over = [asyncio.create_task(_all_done(looks)), asyncio.create_task(stopping.wait())]
        try:
            await asyncio.wait(over, timeout=_POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if (late := _pending(looks)) and not stopping.is_set():
                _log.info("the gateway's start waits up to %g s for %s", limit, ", ".join(late))
                async with self._told(looks):
                    await asyncio.wait(over, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            self.missing = _pending(looks)
        finally:
            for task in (*over, *looks.values()):
                task.cancel()
        if self.missing and not stopping.is_set():
            names = ", ".join(self.missing)
            _log.error("no connection within %g s: the gateway starts without %s", limit, names)

    async def back(self) -> tuple[str, ...]:
        """Waits until one of those that are missing accepts a connection; all that do then."""
        while True:
            await asyncio.sleep(_MISSING_POLL_SECONDS)
            if there := [name for name in self.missing if await _accepts(self._addresses[name])]:
                return tuple(there)

    @contextlib.asynccontextmanager
    async def _told(self, looks: Mapping[str, asyncio.Task[None]]) -> AsyncGenerator[None]:
        """The gateway's health address is not bound yet; until then it answers 503 and what is waited for."""

        async def answer(reader: StreamReader, writer: StreamWriter) -> None:
            body = json.dumps({"status": "waiting", "backends": list(_pending(looks))}).encode()
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
            _log.warning("%s:%d cannot say what is waited for: %s", host, port, error.strerror)
            yield
            return
        try:
            yield
        finally:
            # Not waited for: the port is free at once, and a client that says nothing must not hold up the start.
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
    """Asked in a thread that nobody waits for at the end: Docker's DNS may take 10 s over a name that is not there."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[bool] = loop.create_future()

    def tell(accepts: bool) -> None:
        if not answered.done():
            answered.set_result(accepts)

    def look() -> None:
        try:
            socket.create_connection(address, _CONNECT_SECONDS).close()
            accepts = True
        except OSError:
            accepts = False
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(tell, accepts)

    threading.Thread(target=look, daemon=True).start()
    return await answered
