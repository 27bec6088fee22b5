"""An HTTP/1.1 client for one address: POST and GET over kept connections, with answers read as they come.

Over h11, which uvicorn brings along: no other client is in the image, and its memory counts (bridge/__main__.py).

Owns: connections, their reuse, redirects within the address. asyncio sets TCP_NODELAY on each.
Deliberately does not: repeat a request that may have been read, or use a proxy.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import h11

_CONNECT_SECONDS = 5.0
_IDLE_SECONDS = 4.0
"""Node and uvicorn close a connection that was idle for 5 s; a request must not meet that moment."""
_END_SECONDS = 1.0
_CHUNK_BYTES = 64 * 1024
_MOST_REDIRECTS = 3


class HttpFailed(Exception):
    """No answer, or no whole one: one clause."""


@dataclass(frozen=True)
class Response:
    """The head of an answer, and its body as an iterator that is used once."""

    status: int
    headers: Mapping[str, str]
    body: AsyncIterator[bytes]


class HttpClient:
    """POSTs to one URL, and GETs below its origin; close it at the end."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if secure else 80)
        self._tls = ssl.create_default_context() if secure else None
        self._origin = f"{parts.scheme}://{parts.netloc}"
        # The gateway's own rule for an address without a path (`reference/sentinel-behaviour.md`).
        path = parts.path if parts.path not in ("", "/") else "/mcp"
        self._target = f"{path}?{parts.query}" if parts.query else path
        self._headers = {"Host": parts.netloc, "Accept-Encoding": "identity"}
        self._idle: list[_Connection] = []
        self._ending: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def post(self, body: bytes, headers: Mapping[str, str]) -> AsyncGenerator[Response]:
        """Send one request; raises HttpFailed. Leaving the block early gives up the rest of the answer."""
        for _ in range(_MOST_REDIRECTS + 1):
            connection = await self._connection()
            try:
                response = await connection.exchange("POST", self._target, {**self._headers, **headers}, body)
                if response.status in (307, 308) and (target := self._redirected(response)):
                    self._target = target
                    continue
                yield response
                return
            finally:
                self._put_back(connection)
        raise HttpFailed("it redirects without an end")

    @asynccontextmanager
    async def get(self, target: str, headers: Mapping[str, str], method: str = "GET") -> AsyncGenerator[Response]:
        """Send one GET, or another request without a body; raises HttpFailed."""
        connection = await self._connection()
        try:
            yield await connection.exchange(method, target, {**self._headers, **headers}, b"")
        finally:
            self._put_back(connection)

    def close(self) -> None:
        for connection in self._idle:
            connection.close()
        for task in self._ending:
            task.cancel()

    def _redirected(self, response: Response) -> str | None:
        """The new target; a redirect to another origin is not followed, since the headers are for this one."""
        url = urljoin(f"{self._origin}{self._target}", response.headers.get("location", ""))
        return url.removeprefix(self._origin) if url.startswith(f"{self._origin}/") else None

    async def _connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_fresh():
                return connection
            connection.close()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                address = await _resolved(self._host, self._port)
                reader, writer = await asyncio.open_connection(
                    *address, ssl=self._tls, server_hostname=self._host if self._tls else None
                )
        except TimeoutError:
            raise HttpFailed(f"no connection within {_CONNECT_SECONDS:g} s") from None
        except OSError as error:
            raise HttpFailed(f"no connection: {error.strerror or error}") from None
        return _Connection(reader, writer)

    def _put_back(self, connection: _Connection) -> None:
        """Keep the connection when its answer ends soon; a stream that stays open is closed."""

        async def end() -> None:
            try:
                async with asyncio.timeout(_END_SECONDS):
                    if await connection.ended():
                        self._idle.append(connection)
                        return
            except (HttpFailed, TimeoutError):
                pass
            connection.close()

        if connection.is_broken():
            connection.close()
            return
        if connection.ended_already():
            self._idle.append(connection)
            return
        task = asyncio.create_task(end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


class _Connection:
    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._http = h11.Connection(h11.CLIENT)
        self._used = time.monotonic()

    def is_fresh(self) -> bool:
        return not self._reader.at_eof() and time.monotonic() - self._used < _IDLE_SECONDS

    def is_broken(self) -> bool:
        return (
            h11.ERROR in (self._http.our_state, self._http.their_state) or self._http.their_state is h11.SEND_RESPONSE
        )

    async def exchange(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Response:
        lines = [*headers.items(), ("Content-Length", str(len(body)))]
        events = (h11.Request(method=method, target=target, headers=lines), h11.Data(data=body), h11.EndOfMessage())
        with _failures():
            self._writer.write(b"".join(self._http.send(event) or b"" for event in events))
            await self._writer.drain()
            while not isinstance(event := await self._event(), h11.Response):
                if not isinstance(event, h11.InformationalResponse):
                    raise HttpFailed("the connection was closed")
        received = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
        return Response(event.status_code, received, self._body())

    async def _body(self) -> AsyncIterator[bytes]:
        with _failures():
            while isinstance(event := await self._event(), h11.Data):
                yield bytes(event.data)

    def ended_already(self) -> bool:
        """End the answer without a wait; False when its end is not here, or the connection cannot be used again."""
        while self._http.their_state is h11.SEND_BODY:
            if not isinstance(self._http.next_event(), h11.Data):
                break
        return self._renewed()

    async def ended(self) -> bool:
        """Read to the answer's end; False when the connection cannot be used again."""
        if self._http.their_state is h11.SEND_BODY:
            async for _ in self._body():
                pass
        return self._renewed()

    def _renewed(self) -> bool:
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        self._used = time.monotonic()
        return True

    async def _event(self) -> Any:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._reader.read(_CHUNK_BYTES))
        return event

    def close(self) -> None:
        self._writer.close()


@contextlib.contextmanager
def _failures() -> Any:
    try:
        yield
    except h11.ProtocolError as error:
        raise HttpFailed(f"its answer is no whole HTTP: {error}") from None
    except OSError as error:
        raise HttpFailed(f"the connection was lost: {error.strerror or error}") from None


async def _resolved(host: str, port: int) -> tuple[str, int]:
    """The name's first address, by a thread that is not joined: Docker's DNS may take 10 s over an unknown name."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[tuple[str, int]] = loop.create_future()

    def report(address: tuple[str, int] | None, error: OSError | None) -> None:
        if answered.done():
            return
        if address is not None:
            answered.set_result(address)
        else:
            answered.set_exception(error or OSError("no address"))

    def resolve() -> None:
        address, failed = None, None
        try:
            address = str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0]), port
        except OSError as error:
            failed = error
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(report, address, failed)

    threading.Thread(target=resolve, daemon=True).start()
    return await answered
