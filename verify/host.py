"""The host as seen from the machine where Pulumi runs: its `hostctl`, one of its ports, a program on it.

Owns: the difference between a host that is this machine and one behind ssh. Over ssh a port leads to a unix socket in a
private folder, so that no TCP port is opened here and no other user here can connect to it.
Deliberately does not: know what a request means.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import httpx2
from mcp.client.stdio import StdioServerParameters

from .documents import Host
from .link.near_end import NotReached
from .link.start import ensure
from .link.target import Target
from .remote_program import RECEIVER, RemoteProgram


class HostRefused(Exception):
    """The host refused, or cannot be reached: one sentence, as `hostctl` or `ssh` printed it."""


class HostConnection:
    """Access to one host; over ssh by the one connection."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def hostctl(
        self, verb: str, action: str, request: Mapping[str, Any], seconds: float, *, progress: bool = False
    ) -> dict[str, Any]:
        """The answer of one verb on the host; raises HostRefused. With `progress` its stderr is printed here."""
        await self._reach()
        command = self._command(["python3", "-I", "-S", self._host.program, verb, action])
        stdin = json.dumps({"docker_socket": self._host.docker_socket, **request}).encode()
        process = await asyncio.create_subprocess_exec(
            *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            async with asyncio.timeout(seconds):
                out, err = await process.communicate(stdin)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise HostRefused(f"hostctl {verb} {action} gave no answer within {seconds:.0f} s") from None
        messages = err.decode("utf-8", "replace").strip()
        if process.returncode:
            raise HostRefused(messages.removeprefix(f"hostctl {verb} {action}: ") or f"exit code {process.returncode}")
        if progress and messages:
            print(messages, file=sys.stderr, flush=True)
        return json.loads(out)

    @asynccontextmanager
    async def transport(self, address: str, port: int) -> AsyncGenerator[httpx2.AsyncHTTPTransport]:
        """A transport with all its connections to that address as seen on the host; raises HostRefused."""
        if self._host.kind == "local":
            async with httpx2.AsyncHTTPTransport() as transport:
                yield transport
            return
        await self._reach()
        words = Target.of(self._host).tunnel(address, port)
        with tempfile.TemporaryDirectory(prefix="sentinel-verify-") as folder, socket.socket(socket.AF_UNIX) as here:
            path = str(Path(folder) / "port")
            here.bind(path)
            here.listen()
            here.setblocking(False)
            forwarding = asyncio.create_task(_forward(here, words))
            try:
                async with httpx2.AsyncHTTPTransport(uds=path) as transport:
                    yield transport
            finally:
                forwarding.cancel()
                with suppress(asyncio.CancelledError):
                    await forwarding

    def is_remote(self) -> bool:
        """True when a port leads to a socket here, so that no URL contains its address on the host."""
        return self._host.kind == "ssh"

    def program(
        self, command: str, arguments: Sequence[str], environment: Mapping[str, str]
    ) -> StdioServerParameters | RemoteProgram:
        """A program on the host that speaks MCP over stdio."""
        if self._host.kind == "local":
            return StdioServerParameters(command=command, args=list(arguments), env={**os.environ, **environment})
        return RemoteProgram(self._command(RECEIVER), [command, *arguments], environment)

    def _command(self, command: Sequence[str]) -> list[str]:
        if self._host.kind == "local":
            return [sys.executable if command[0] == "python3" else command[0], *command[1:]]
        return Target.of(self._host).command_line(command)

    async def _reach(self) -> None:
        if self._host.kind == "ssh":
            try:
                await asyncio.to_thread(ensure, Target.of(self._host))
            except NotReached as error:
                raise HostRefused(str(error)) from None


async def _forward(here: socket.socket, words: Sequence[str]) -> None:
    """Each connection to `here` becomes the stdin and stdout of a command of its own."""
    running: list[asyncio.subprocess.Process] = []
    try:
        while True:
            connection, _ = await asyncio.get_running_loop().sock_accept(here)
            with closing(connection):
                running.append(
                    await asyncio.create_subprocess_exec(
                        *words, stdin=connection.fileno(), stdout=connection.fileno(), stderr=subprocess.DEVNULL
                    )
                )
    finally:
        for process in running:
            if process.returncode is None:
                process.terminate()
            await process.wait()
