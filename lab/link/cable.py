"""A cable between ssh and sshd with a round trip of its own, which can be pulled for a while.

Bytes that are on it meanwhile arrive later, as TCP sends them again; a new connection waits.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Cable:
    """Its own port on loopback leads to `port`."""

    port: int
    one_way_seconds: float
    own_port: int = 0
    _whole: asyncio.Event = field(default_factory=asyncio.Event)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop | None = None

    def pull(self) -> None:
        self._do(self._whole.clear)

    def plug_in(self) -> None:
        self._do(self._whole.set)

    def end(self) -> None:
        self._do(self._ended.set)

    async def run(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._whole.set()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.own_port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._ended.wait()
        server.close()

    def _do(self, action: Callable[[], None]) -> None:
        assert self._loop
        self._loop.call_soon_threadsafe(action)

    async def _connected(self, near: asyncio.StreamReader, to_near: asyncio.StreamWriter) -> None:
        # The round trip of TCP's own greeting.
        await asyncio.sleep(2 * self.one_way_seconds)
        await self._whole.wait()
        far, to_far = await asyncio.open_connection("127.0.0.1", self.port)
        with suppress(asyncio.CancelledError):
            await asyncio.gather(self._carry(near, to_far), self._carry(far, to_near))

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Each chunk arrives a while after it was sent, whatever is sent meanwhile."""
        sent: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def read() -> None:
            chunk = b"."
            while chunk:
                try:
                    chunk = await source.read(1 << 16)
                except OSError:
                    chunk = b""
                sent.put_nowait((asyncio.get_running_loop().time() + self.one_way_seconds, chunk))

        reading = asyncio.create_task(read())
        with suppress(OSError):
            while True:
                due, chunk = await sent.get()
                await asyncio.sleep(due - asyncio.get_running_loop().time())
                await self._whole.wait()
                if not chunk:
                    break
                sink.write(chunk)
                await sink.drain()
        sink.close()
        await reading


@contextmanager
def cable(port: int, one_way_seconds: float = 0.0) -> Generator[Cable]:
    laid, ready = Cable(port, one_way_seconds), threading.Event()
    carrier = threading.Thread(target=asyncio.run, args=(laid.run(ready),), daemon=True)
    carrier.start()
    assert ready.wait(10)
    yield laid
    laid.end()
    carrier.join(10)
