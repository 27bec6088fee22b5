"""How a host is reached from the machine where Pulumi runs: its `hostctl`, a port of its own, a program on it.

Owns: the difference between a host that is this machine and one behind ssh, in one place. Over ssh a port comes to a
unix socket in a private folder (`ssh -L`), so that no TCP port is opened here and nobody else here can use it.
Deliberately does not: know what is asked there.
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
from .remote_program import RECEIVING, FarProgram

FORWARD_SECONDS = 20.0


class HostRefused(Exception):
    """The host, or the way to it, said no: one sentence, as `hostctl` or `ssh` gave it."""


class Reach:
    def __init__(self, host: Host) -> None:
        self._host = host

    async def hostctl(
        self, verb: str, word: str, document: Mapping[str, Any], seconds: float, *, tell: bool = False
    ) -> dict[str, Any]:
        """The answer of one verb on the host; raises HostRefused. With `tell` its progress goes to stderr."""
        words = self._words(["python3", "-I", "-S", self._host.program, verb, word])
        asked = json.dumps({"docker_socket": self._host.docker_socket, **document}).encode()
        process = await asyncio.create_subprocess_exec(
            *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            async with asyncio.timeout(seconds):
                out, err = await process.communicate(asked)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise HostRefused(f"hostctl {verb} {word} gave no answer within {seconds:.0f} s") from None
        said = err.decode("utf-8", "replace").strip()
        if process.returncode:
            raise HostRefused(said.removeprefix(f"hostctl {verb} {word}: ") or f"exit code {process.returncode}")
        if tell and said:
            print(said, file=sys.stderr, flush=True)
        return json.loads(out)

    @asynccontextmanager
    async def transport(self, address: str, port: int) -> AsyncGenerator[httpx2.AsyncHTTPTransport]:
        """A transport whose every connection ends at that address as seen on the host; raises HostRefused."""
        if self._host.kind == "local":
            async with httpx2.AsyncHTTPTransport() as transport:
                yield transport
            return
        with tempfile.TemporaryDirectory(prefix="sentinel-verify-") as folder:
            socket = Path(folder) / "port"
            own = ("-N", "-o", "ExitOnForwardFailure=yes", "-o", "StreamLocalBindMask=0177")
            words = ssh.line(*self._target(), *own, "-L", f"{socket}:{_bracketed(address)}:{port}")
            process = await asyncio.create_subprocess_exec(
                *words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            try:
                await _until_forwarded(process, socket)
                async with httpx2.AsyncHTTPTransport(uds=str(socket)) as transport:
                    yield transport
            finally:
                if process.returncode is None:
                    process.terminate()
                    await process.wait()

    def is_far(self) -> bool:
        """Whether a port comes through a socket, so that the address asked for stands in no URL."""
        return self._host.kind == "ssh"

    def program(
        self, command: str, arguments: Sequence[str], environment: Mapping[str, str]
    ) -> StdioServerParameters | FarProgram:
        """A program on the host that speaks MCP over stdio."""
        if self._host.kind == "local":
            return StdioServerParameters(command=command, args=list(arguments), env={**os.environ, **environment})
        return FarProgram(self._words(RECEIVING), [command, *arguments], environment)

    def _words(self, words: Sequence[str]) -> list[str]:
        if self._host.kind == "local":
            return [sys.executable if words[0] == "python3" else words[0], *words[1:]]
        return ssh.line(*self._target(), words=words)

    def _target(self) -> tuple[str, int, str, str]:
        host = self._host
        return f"{host.user}@{host.address}", host.port, host.private_key_file, host.host_key


async def _until_forwarded(process: asyncio.subprocess.Process, socket: Path) -> None:
    """ssh makes the socket once it is connected; no event tells, so it is looked for."""
    try:
        async with asyncio.timeout(FORWARD_SECONDS):
            while not socket.exists():
                if process.returncode is not None:
                    assert process.stderr is not None
                    said = (await process.stderr.read()).decode("utf-8", "replace").split("\n")[0].strip()
                    raise HostRefused(f"ssh could not forward the port: {said or 'no reason given'}")
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise HostRefused(f"ssh forwarded no port within {FORWARD_SECONDS:.0f} s") from None


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
