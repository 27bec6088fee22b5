"""Pipes to and from child processes, and the lines that come out of them, each within a limit."""

from __future__ import annotations

import asyncio
import os
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator

_CHUNK_BYTES = 256 * 1024


async def lines(reader: StreamReader, limit: int) -> AsyncGenerator[tuple[bytes, bool]]:
    """Each line without its end, and True when it is whole; one that is too long comes cut, once it has ended."""
    kept = bytearray()
    cut = False
    while chunk := await reader.read(_CHUNK_BYTES):
        first, *others = chunk.split(b"\n")
        for number, piece in enumerate([first, *others]):
            if number:
                yield bytes(kept), not cut
                kept, cut = bytearray(), False
            room = limit - len(kept)
            cut = cut or len(piece) > room
            kept += piece[:room]
    if kept:
        yield bytes(kept), not cut


async def reader(descriptor: int, line_bytes: int = 65536) -> StreamReader:
    """The reading end of a pipe; `readline` takes lines of at most `line_bytes`."""
    stream = StreamReader(line_bytes)
    protocol = asyncio.StreamReaderProtocol(stream)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(descriptor, "rb", 0))
    return stream


async def writer(descriptor: int) -> StreamWriter:
    """The writing end of a pipe."""
    loop = asyncio.get_running_loop()
    pipe = os.fdopen(descriptor, "wb", 0)
    transport, protocol = await loop.connect_write_pipe(lambda: asyncio.streams.FlowControlMixin(loop=loop), pipe)
    return StreamWriter(transport, protocol, None, loop)
