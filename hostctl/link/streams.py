"""Streams over one pair of pipes: frames, and the threads between a frame's channel and a descriptor.

Channel 0 of a stream leads to the host, channels 1 and 2 come from it. A receiver reports each byte that it has passed
on, and no sender is more than `WINDOW` ahead, so that a slow stream delays no other.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import struct
import threading
from collections.abc import Iterator
from typing import Callable

HEADER = struct.Struct(">IBI")
OPEN, OPENED, FAILED, EXIT, GONE = range(5)
DATA, END, TAKEN = 16, 32, 48
"""Plus the number of the channel."""
STRAY = -1
"""Bytes that are no frame, which somebody else wrote."""
WINDOW = 1 << 20
CHUNK = 1 << 15
_LONGEST = 1 << 17


class Trunk:
    """The pair of pipes; any thread may send."""

    def __init__(self, receiving: int, sending: int) -> None:
        self._receiving, self._sending = receiving, sending
        self._lock = threading.Lock()

    def send(self, stream: int, kind: int, payload: bytes = b"") -> None:
        """Raises OSError once the other end is gone."""
        with self._lock:
            write_all(self._sending, HEADER.pack(stream, kind, len(payload)) + payload)

    def frames(self) -> Iterator[tuple[int, int, bytes]]:
        """Each frame as stream, kind and payload, until the other end is gone."""
        while True:
            header = read_exactly(self._receiving, HEADER.size)
            if len(header) < HEADER.size:
                return
            stream, kind, length = HEADER.unpack(header)
            if length > _LONGEST:
                yield stream, STRAY, header
                return
            payload = read_exactly(self._receiving, length)
            if len(payload) < length:
                return
            yield stream, kind, payload


class Sender:
    """Sends all that a descriptor gives, and its end; closes it. After `drop` the bytes are read and dropped."""

    def __init__(self, trunk: Trunk, stream: int, channel: int, descriptor: int, ended: Callable[[], None]) -> None:
        self._trunk, self._stream, self._channel, self._descriptor = trunk, stream, channel, descriptor
        self._ended = ended
        self._credit = WINDOW
        self._changed = threading.Condition()
        self._dropping = self._stopping = False
        self._wake = os.pipe()
        threading.Thread(target=self._run, daemon=True).start()

    def taken(self, count: int) -> None:
        """The receiver has passed on so many bytes."""
        with self._changed:
            self._credit += count
            self._changed.notify()

    def drop(self) -> None:
        """Nobody receives any more; the writer may go on."""
        with self._changed:
            self._dropping = True
            self._changed.notify()

    def stop(self) -> None:
        """Read no more."""
        with self._changed:
            if not self._stopping:
                self._stopping = True
                os.write(self._wake[1], b".")
                self._changed.notify()

    def _run(self) -> None:
        ready = select.poll()
        ready.register(self._descriptor, select.POLLIN)
        ready.register(self._wake[0], select.POLLIN)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._credit > 0 or self._dropping or self._stopping)
                room = CHUNK if self._dropping else min(CHUNK, self._credit)
            ready.poll()
            if self._stopping:
                break
            try:
                chunk = os.read(self._descriptor, room)
            except BlockingIOError:
                # Another process made the shared description non-blocking, and took the bytes.
                continue
            except OSError:
                chunk = b""
            if not chunk:
                break
            if not self._dropping:
                with self._changed:
                    self._credit -= len(chunk)
                self._forward(DATA, chunk)
        with self._changed:
            self._stopping = True
            for descriptor in (self._descriptor, *self._wake):
                os.close(descriptor)
        self._forward(END)
        self._ended()

    def _forward(self, kind: int, payload: bytes = b"") -> None:
        try:
            self._trunk.send(self._stream, kind + self._channel, payload)
        except OSError:
            self._dropping = True


class Receiver:
    """Writes all that arrives to a descriptor, and closes it at the end. Where nobody reads, it drops the bytes."""

    def __init__(
        self, trunk: Trunk, stream: int, channel: int, descriptor: int, close: Callable[[int], None] = os.close
    ) -> None:
        self._trunk, self._stream, self._channel, self._descriptor = trunk, stream, channel, descriptor
        self._close = close
        self._arrived: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def put(self, chunk: bytes) -> None:
        self._arrived.put(chunk)

    def end(self) -> None:
        """No more will arrive."""
        self._arrived.put(None)

    def finish(self) -> None:
        """Wait until all that arrived before the end is written."""
        self._thread.join()

    def _run(self) -> None:
        open_ = True
        for chunk in iter(self._arrived.get, None):
            if open_:
                try:
                    write_all(self._descriptor, chunk)
                except OSError:
                    self._close(self._descriptor)
                    open_ = False
            with contextlib.suppress(OSError):
                self._trunk.send(self._stream, TAKEN + self._channel, struct.pack(">I", len(chunk)))
        if open_:
            self._close(self._descriptor)


def count_of(payload: bytes) -> int:
    """The number of bytes in a frame of the kind `TAKEN`."""
    (count,) = struct.unpack(">I", payload)
    return int(count)


def write_all(descriptor: int, content: bytes) -> None:
    """Raises OSError where nobody reads; a description may be non-blocking, since others share it."""
    left = memoryview(content)
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:
            writable = select.poll()
            writable.register(descriptor, select.POLLOUT)
            writable.poll()


def read_exactly(descriptor: int, length: int) -> bytes:
    """That many bytes, fewer at the end."""
    parts: list[bytes] = []
    while length:
        try:
            part = os.read(descriptor, min(length, 1 << 16))
        except OSError:
            part = b""
        if not part:
            break
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
