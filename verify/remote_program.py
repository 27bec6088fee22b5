"""A program on the host, over ssh, whose arguments and variables are in no command line, environment or file here.

Owns: sending them as the first line on ssh's stdin, spelled as a message of the protocol so that the SDK sends it, and
the receiver, which reads that line on the host and becomes the program.
Deliberately does not: rely on `SendEnv`, which sshd refuses for names that are not in its configuration.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from mcp.client._transport import TransportStreams
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCNotification

_RECEIVE = """
import json, os, sys
line = b""
while not line.endswith(b"\\n"):
    byte = os.read(0, 1)
    if not byte:
        sys.exit("the program's own line did not come")
    line += byte
program = json.loads(line)["params"]
os.environ.update(program["variables"])
os.execvp(program["command"][0], program["command"])
"""

RECEIVER = ("python3", "-I", "-S", "-c", _RECEIVE)
"""The command that, on the host, reads the first line of its stdin and becomes the program."""


@dataclass(frozen=True)
class RemoteProgram:
    """`ssh` runs `RECEIVER` on the host; `command` is the program with its arguments, which no `repr` shows."""

    ssh: Sequence[str]
    command: Sequence[str] = field(repr=False)
    variables: Mapping[str, str] = field(repr=False)

    def first_message(self) -> JSONRPCNotification:
        """The message before the session's own."""
        program = {"command": list(self.command), "variables": dict(self.variables)}
        return JSONRPCNotification(jsonrpc="2.0", method="sentinel-cutover/program", params=program)

    @asynccontextmanager
    async def transport(self) -> AsyncGenerator[TransportStreams]:
        """The program's stdin and stdout, as the SDK's client takes them."""
        program, *arguments = self.ssh
        async with stdio_client(StdioServerParameters(command=program, args=arguments)) as (read, write):
            await write.send(SessionMessage(self.first_message()))
            yield read, write
