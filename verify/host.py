"""The host as seen from the machine where Pulumi runs: its `hostctl`, one of its ports, a program on it.

Owns: the difference between a host that is this machine and one behind ssh. Over ssh a port is forwarded to a unix
socket in a private folder (`ssh -L`), so that no TCP port is opened here and no other user here can connect to it.
Deliberately does not: know what a request means.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from mcp.client.stdio import StdioServerParameters

from . import ssh
from .documents import Host
from .remote_program import RECEIVER, RemoteProgram

FORWARD_SECONDS = 20.0


class HostRefused(Exception):
    """The host refused, or cannot be reached: one sentence, as `hostctl` or `ssh` printed it."""


class HostConnection:
    """Access to one host; each call opens a connection of its own."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def hostctl(
        self, verb: str, action: str, request: Mapping[str, Any], seconds: float, *, progress: bool = False
    ) -> dict[str, Any]:
        """The answer of one verb on the host; raises HostRefused. With `progress` its stderr is printed here."""
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
        with tempfile.TemporaryDirectory(prefix="sentinel-verify-") as folder:
            socket = Path(folder) / "port"
            extra = ("-N", "-o", "ExitOnForwardFailure=yes", "-o", "StreamLocalBindMask=0177")
            command = ssh.command_line(*self._target(), *extra, "-L", f"{socket}:{_bracketed(address)}:{port}")
            process = await asyncio.create_subprocess_exec(
                *command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            try:
                await _until_forwarded(process, socket)
                async with httpx2.AsyncHTTPTransport(uds=str(socket)) as transport:
                    yield transport
            finally:
                if process.returncode is None:
                    process.terminate()
                    await process.wait()

    def is_remote(self) -> bool:
        """True when a port is forwarded to a socket, so that no URL contains its address on the host."""
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
        return ssh.command_line(*self._target(), command=command)

    def _target(self) -> tuple[str, int, str, str]:
        host = self._host
        return f"{host.user}@{host.address}", host.port, host.private_key_file, host.host_key


async def _until_forwarded(process: asyncio.subprocess.Process, socket: Path) -> None:
    """Wait for the socket, which ssh makes once it is connected; there is no event, so this polls."""
    try:
        async with asyncio.timeout(FORWARD_SECONDS):
            while not socket.exists():
                if process.returncode is not None:
                    assert process.stderr is not None
                    message = (await process.stderr.read()).decode("utf-8", "replace").split("\n")[0].strip()
                    raise HostRefused(f"ssh could not forward the port: {message or 'no reason given'}")
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise HostRefused(f"ssh forwarded no port within {FORWARD_SECONDS:.0f} s") from None


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
