"""A program on the host, over ssh, whose words and variables stand in no command line, environment or file here.

Owns: sending them as the first line on ssh's stdin, spelled as a message of the protocol so that the SDK sends it, and
what reads that line on the host and becomes the program, for which everything after it is.
Deliberately does not: rely on `SendEnv`, which sshd refuses for names that it was not told of.
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
os.execvp(program["words"][0], program["words"])
"""

RECEIVING = ("python3", "-I", "-S", "-c", _RECEIVE)
"""The words that, on the host, read the first line of their stdin and become the program."""


@dataclass(frozen=True)
class FarProgram:
    """`line` runs `RECEIVING` on the host; `words` are the program and its arguments, which no `repr` shows."""

    line: Sequence[str]
    words: Sequence[str] = field(repr=False)
    variables: Mapping[str, str] = field(repr=False)

    def ahead(self) -> JSONRPCNotification:
        """What goes ahead of the session."""
        program = {"words": list(self.words), "variables": dict(self.variables)}
        return JSONRPCNotification(jsonrpc="2.0", method="sentinel-cutover/program", params=program)

    @asynccontextmanager
    async def transport(self) -> AsyncGenerator[TransportStreams]:
        """The program's stdin and stdout, as the SDK's client takes them."""
        first, *rest = self.line
        async with stdio_client(StdioServerParameters(command=first, args=rest)) as (read, write):
            await write.send(SessionMessage(self.ahead()))
            yield read, write
