"""The log of a gateway process on its way to the bridge's own stderr, which is the container's log."""

from __future__ import annotations

import contextlib
import sys
from asyncio import StreamReader
from collections.abc import Callable

from .pipes import lines

_LINE_BYTES = 64 * 1024


async def pass_on(log: StreamReader, read: Callable[[bytes], None]) -> None:
    """Write each line on and give it to `read`, until the log's end."""
    async for line, _ in lines(log, _LINE_BYTES):
        read(line)
        with contextlib.suppress(OSError):
            sys.stderr.buffer.write(line + b"\n")
            sys.stderr.buffer.flush()
