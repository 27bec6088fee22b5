"""A backend's tools: all pages of its list as one, since the gateway reads the first page only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from .messages import Message, dumped

_MOST_PAGES = 1000


class NoCatalogue(Exception):
    """The backend gave no usable list of its tools: one clause."""


async def catalogue(listed: Callable[[Message], Awaitable[Message]], limit_bytes: int) -> Message:
    """The result of tools/list with the tools of all pages; raises NoCatalogue.

    `listed` makes one request with the given parameters and returns its `result` or `error`.
    """
    tools: list[Message] = []
    size = 0
    parameters: Message = {}
    for _ in range(_MOST_PAGES):
        answer = await listed(parameters)
        result = answer.get("result")
        if not isinstance(result, dict) or not isinstance(page := cast("Message", result).get("tools"), list):
            raise NoCatalogue(f"lists no tools: {reason_of(answer)}")
        found = cast("Message", result)
        size += len(dumped(found))
        if size > limit_bytes:
            raise NoCatalogue(f"lists more than {limit_bytes} bytes of tools")
        # The gateway leaves out a whole backend for one tool without a schema.
        tools += [{"inputSchema": {"type": "object"}, **tool} for tool in cast("list[Message]", page)]
        if not (cursor := found.get("nextCursor")):
            return {**found, "tools": tools}
        parameters = {"cursor": cursor}
    raise NoCatalogue(f"lists more than {_MOST_PAGES} pages of tools")


def reason_of(answer: Message) -> str:
    """The message of an answer's `error`."""
    error = answer.get("error")
    return str(cast("Message", error).get("message")) if isinstance(error, dict) else "no reason given"
