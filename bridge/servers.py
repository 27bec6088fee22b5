"""The servers of the stdio backends as processes, started by the supervisor at the bridge's request.

Owns: the bridge's end of the supervisor's protocol (bridge/supervisor.py), and a server's three pipes.
Deliberately does not: know MCP (bridge/relay.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
from asyncio import StreamReader, StreamWriter
from dataclasses import dataclass
from typing import Any

from .pipes import reader, writer
from .supervisor import MESSAGE_BYTES


class ServerFailed(Exception):
    """A server could not be started; the reason in a few words."""


@dataclass
class Server:
    """A started server. `ended` has its exit code, as `subprocess` counts it."""

    name: str
    pid: int
    stdin: StreamWriter
    stdout: StreamReader
    stderr: StreamReader
    ended: asyncio.Future[int]


class Servers:
    """At most one server a name. The bridge ends itself when the supervisor is gone: nobody could end its servers."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._starting: dict[str, asyncio.Future[tuple[int, asyncio.Future[int]]]] = {}
        self._ended: dict[str, asyncio.Future[int]] = {}
        channel.setblocking(False)
        asyncio.get_running_loop().add_reader(channel, self._receive)

    async def start(self, name: str) -> Server:
        """Start a server once the former one of that name has ended; raises ServerFailed."""
        if former := self._ended.get(name):
            await former
        pipes = [os.pipe() for _ in range(3)]
        theirs = [pipes[0][0], pipes[1][1], pipes[2][1]]
        ours = [pipes[0][1], pipes[1][0], pipes[2][0]]
        started = self._starting[name] = asyncio.get_running_loop().create_future()
        try:
            socket.send_fds(self._channel, [json.dumps({"start": name}).encode()], theirs)
            pid, ended = await started
        except (OSError, ServerFailed) as error:
            for descriptor in ours:
                os.close(descriptor)
            raise ServerFailed(str(error)) from None
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        stdin, stdout, stderr = ours
        return Server(name, pid, await writer(stdin), await reader(stdout), await reader(stderr), ended)

    async def end(self, server: Server, limit_seconds: float) -> None:
        """Close its stdin and send SIGTERM to its group; SIGKILL after the limit."""
        server.stdin.close()
        for number in (signal.SIGTERM, signal.SIGKILL):
            if server.ended.done():
                return
            self._send({"signal": server.name, "number": number})
            await asyncio.wait([server.ended], timeout=limit_seconds)

    def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            self._channel.send(json.dumps(message).encode())

    def _receive(self) -> None:
        try:
            content = self._channel.recv(MESSAGE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            content = b""
        if not content:
            asyncio.get_running_loop().remove_reader(self._channel)
            os.kill(os.getpid(), signal.SIGTERM)
            return
        message: dict[str, Any] = json.loads(content)
        if name := message.get("started"):
            ended = self._ended[name] = asyncio.get_running_loop().create_future()
            starting = self._starting.pop(name)
            if starting.done():
                self._send({"signal": name, "number": signal.SIGKILL})
            else:
                starting.set_result((message["pid"], ended))
        elif name := message.get("refused"):
            if not (starting := self._starting.pop(name)).done():
                starting.set_exception(ServerFailed(message["why"]))
        else:
            self._ended.pop(message["ended"]).set_result(message["code"])
