"""HTTP servers of the bridge's own: uvicorn without its signals, and listening sockets.

Owns: a client that does not read is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncGenerator, Generator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from .configuration import Misconfigured

_LAST_ANSWERS_SECONDS = 1
_KEEP_ALIVE_SECONDS = 120
"""Longer than a client keeps an idle connection (the gateway's keeps its own for 90 s): a request that meets the
server's end of it is lost, and neither of them sends it again."""
_UNREAD_SECONDS = 20.0


class Server(uvicorn.Server):
    """A uvicorn server that leaves the signals to the bridge: the gateways' end begins with its own, not after it."""

    def __init__(self, application: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                loop="asyncio",
                http=_Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_LAST_ANSWERS_SECONDS,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@contextlib.asynccontextmanager
async def served(application: ASGIApp, address: tuple[str, int]) -> AsyncGenerator[None]:
    """The application at this address; raises Misconfigured when it cannot be listened on."""
    server = Server(application)
    serving = asyncio.create_task(server.serve(sockets=[listener(address)]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


class _Connection(H11Protocol):
    """A client's connection, which is dropped when the client does not read for a while."""

    _reading_limit: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reading_limit = self.loop.call_later(_UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._forget()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._forget()

    def _forget(self) -> None:
        if self._reading_limit is not None:
            self._reading_limit.cancel()
            self._reading_limit = None


def listener(address: tuple[str, int]) -> socket.socket:
    """A listening socket; raises Misconfigured."""
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        made = socket.create_server(address, family=family, backlog=256)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise Misconfigured(f"{host}:{port} cannot be listened on ({reason}): free it or change listen.") from error
    # Accepted sockets inherit it; asyncio sets it only on sockets whose protocol is given. Without it an answer's
    # body waits for the acknowledgement of its head: 40 ms a call (measured).
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made
