"""The client's two pipes, each with a thread of its own and 64 lines of room.

Owns: how lines are read (invalid UTF-8 is the end) and what becomes of answers nobody reads (dropped).
"""

from __future__ import annotations

import asyncio
import queue
import sys
from threading import Thread

from .log import Log

_LINES = 64


class Input:
    """stdin in lines; None at its end."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[str | None] = asyncio.Queue(_LINES)
        self._closed = False
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    async def line(self) -> str | None:
        return await self._lines.get()

    def close(self) -> None:
        """Take no line after the next: a read that has begun cannot be broken off."""
        self._closed = True

    async def closed(self) -> None:
        """Waits for that next line or the end."""
        while self._thread.is_alive():
            while not self._lines.empty():
                self._lines.get_nowait()
            await asyncio.sleep(0.02)

    def _read(self) -> None:
        while (raw := sys.stdin.buffer.readline()) and not self._closed:
            try:
                line = raw.decode().rstrip()
            except UnicodeDecodeError:
                Log("transport::stdio").error("stdin read error", error="stream did not contain valid UTF-8")
                break
            if line:
                asyncio.run_coroutine_threadsafe(self._lines.put(line), self._loop).result()
        asyncio.run_coroutine_threadsafe(self._lines.put(None), self._loop).result()


class Output:
    """stdout in lines. Once it is closed, answers are dropped; the gateway goes on."""

    def __init__(self) -> None:
        self._lines: queue.Queue[str | None] = queue.Queue(_LINES)
        self._thread = Thread(target=self._write, daemon=True)
        self._thread.start()

    async def put(self, line: str) -> None:
        while self._thread.is_alive():
            try:
                self._lines.put_nowait(line)
                return
            except queue.Full:
                await asyncio.sleep(0.01)
        Log("gateway").warn("Output channel closed, dropping response")

    async def close(self) -> None:
        """Waits a moment for what is not written yet."""
        if self._thread.is_alive() and not self._lines.full():
            self._lines.put_nowait(None)
            await asyncio.to_thread(self._thread.join, 1)

    def _write(self) -> None:
        try:
            while (line := self._lines.get()) is not None:
                sys.stdout.buffer.write(line.encode() + b"\n")
                sys.stdout.buffer.flush()
        except OSError:
            return
