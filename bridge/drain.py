"""`POST /drain` of the handover, right before another gateway takes over: the calls under way may end.

{"seconds": N, "close": false} waits until no call is under way, or so long; new calls are served meanwhile. With
`close`, calls that are still under way after it are answered with an error, and idle connections and streams are
closed, so that a client's next request opens a new one. Nothing is kept: a request after it is served as before, since
a handover may be undone.

Owns: that exchange. Deliberately does not: refuse a call; the handover holds new connections back meanwhile.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from typing import Any, Protocol, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .guard import refusal
from .sessions import Sessions
from .tokens import Caller

PATH = "/drain"
LONGEST_SECONDS = 60.0
_POLL_SECONDS = 0.005
_ANSWERS_SECONDS = 0.5
"""For the last answers to leave, which their calls no longer wait for."""


class Connection(Protocol):
    """A connection of the HTTP server: uvicorn closes it at once where it is idle, else after its answer."""

    def shutdown(self) -> None: ...


class Drain:
    """`subject` is the handover's own, None where there is none; `connections` those of the server, once it serves."""

    def __init__(self, subject: str | None, sessions: Sessions) -> None:
        self._subject = subject
        self._sessions = sessions
        self.connections: Collection[Connection] = ()

    def is_for(self, request: Request, caller: Caller) -> bool:
        """True for a request of the handover's; to everybody else there is no such path."""
        return self._subject is not None and caller == Caller(self._subject) and request.scope["path"] == PATH

    async def answer(self, body: bytes) -> Response:
        """{"idle": no call was under way after the wait, "cut_off": the number of calls}"""
        seconds, close = _read(body)
        idle = await self._sessions.without_calls(seconds)
        cut_off = 0
        if close:
            cut_off = self._sessions.cut_off()
            self._sessions.end_streams()
            await self._close_connections()
        return JSONResponse({"idle": idle, "cut_off": cut_off})

    async def _close_connections(self) -> None:
        """Close all but the handover's own, each after its answer."""
        for connection in list(self.connections):
            connection.shutdown()
        end = asyncio.get_running_loop().time() + _ANSWERS_SECONDS
        while len(self.connections) > 1 and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(_POLL_SECONDS)


def _read(body: bytes) -> tuple[float, bool]:
    """Raises Refused."""
    try:
        document = cast("dict[str, Any]", json.loads(body))
        seconds, close = float(document["seconds"]), document["close"] is True
    except (ValueError, TypeError, KeyError):
        raise refusal(400, "bad_request", 'the body must be {"seconds": NUMBER, "close": BOOLEAN}') from None
    if not 0 <= seconds <= LONGEST_SECONDS:
        raise refusal(400, "bad_request", f"seconds must be from 0 to {LONGEST_SECONDS:g}")
    return seconds, close
