"""Server-sent events as the WHATWG's specification reads them; only their data matters here."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


async def event_data(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The data of each event that has some; several data lines are joined by newlines."""
    data: list[bytes] = []
    async for line in _lines(chunks):
        if not line:
            if any(data):
                yield b"\n".join(data)
            data = []
            continue
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))


async def _lines(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Every line without its end, as soon as the end has come, which a lone CR is too."""
    kept = bytearray()
    mark, after_return = _BYTE_ORDER_MARK, False
    async for chunk in chunks:
        piece = chunk.removeprefix(b"\n") if after_return else chunk
        after_return = chunk.endswith(b"\r")
        first, *others = _LINE_END.split(piece)
        kept += first
        for following in others:
            yield bytes(kept).removeprefix(mark)
            mark, kept = b"", bytearray(following)
