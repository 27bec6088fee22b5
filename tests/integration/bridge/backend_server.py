"""A backend over the official SDK, for the tests: `backend_server.py NAME stdio`, or `http PORT` or `stateless PORT`.

Its tools carry its name, so that several of them stand beside each other: NAME_echo, NAME_slow, NAME_count, NAME_fail.
NAME_slow writes "begun" and then "cancelled" or "finished" into the file `diary`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from mcp.server.mcpserver import Context, MCPServer


def server(name: str) -> MCPServer:
    made = MCPServer(name)

    async def echo(text: str) -> str:
        return f"{name}:{text}"

    async def slow(seconds: float, diary: str = "/dev/null") -> str:
        with Path(diary).open("a") as file:
            print("begun", file=file, flush=True)
            try:
                await asyncio.sleep(seconds)
            except asyncio.CancelledError:
                print("cancelled", file=file, flush=True)
                raise
            print("finished", file=file, flush=True)
        return f"{name}: slept"

    async def count(to: int, context: Context) -> str:
        for number in range(1, to + 1):
            await context.report_progress(number, to, f"{name} {number}")
        return f"{name}: counted to {to}"

    async def fail() -> str:
        raise ValueError("as called")

    async def pid() -> str:
        return str(os.getpid())

    for tool in (echo, slow, count, fail, pid):
        made.add_tool(tool, name=f"{name}_{tool.__name__}")
    return made


def main() -> None:
    name, transport = sys.argv[1:3]
    if transport == "stdio":
        server(name).run("stdio")
    else:
        port, stateless = int(sys.argv[3]), transport == "stateless"
        server(name).run("streamable-http", host="127.0.0.1", port=port, stateless_http=stateless)


if __name__ == "__main__":
    main()
