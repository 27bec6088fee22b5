"""An MCP server on stdio that does what its calls and its environment say; standard library only.

The tool `do` takes `what`: echo, environment, read PATH, exit CODE, noise, not_strict, long, text_id, ask, slow.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def answer(own_id: int | str, result: dict[str, Any]) -> None:
    print(json.dumps({"jsonrpc": "2.0", "id": own_id, "result": result}), flush=True)


def said(text: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}]}


def read(path: str) -> str:
    try:
        return Path(path).read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError as error:
        return f"refused: {error.strerror}"


def do(own_id: int, what: str, value: str) -> None:
    if what == "exit":
        os._exit(int(value))
    elif what == "noise":
        print("a line that is no JSON\n", flush=True)
    elif what == "not_strict":
        answer(own_id, {"x": float("nan")})
        return
    elif what == "half_emoji":
        answer(own_id, said("cut \ud83d"))
        return
    elif what == "long":
        answer(own_id, said("x" * int(value)))
        return
    elif what == "text_id":
        answer(str(own_id), said("text"))
        return
    elif what == "ask":
        print(json.dumps({"jsonrpc": "2.0", "id": own_id, "method": "roots/list"}), flush=True)
        answer(own_id, said(sys.stdin.readline()))
        return
    elif what == "slow":
        time.sleep(float(value))
    elif what == "flood":
        for number in range(int(value)):
            print(f"line {number}", file=sys.stderr, flush=True)
    texts = {
        "environment": lambda: json.dumps(dict(os.environ)),
        "read": lambda: read(value),
        "pid": lambda: str(os.getpid()),
    }
    answer(own_id, said(texts.get(what, lambda: f"{what} {value}")()))


def main() -> None:
    if os.environ.get("DIES_AT_START"):
        print("no key", file=sys.stderr, flush=True)
        sys.exit(3)
    if os.environ.get("IGNORES_SIGTERM"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    name = os.environ.get("SERVER", "odd")
    print(f"{name} starts", file=sys.stderr, flush=True)
    for line in iter(sys.stdin.readline, "") if not os.environ.get("IGNORES_SIGTERM") else forever():
        message: dict[str, Any] = json.loads(line)
        own_id: Any = message.get("id")
        parameters: dict[str, Any] = message.get("params") or {}
        if message["method"] == "initialize":
            answer(
                own_id,
                {
                    "protocolVersion": "2025-03-26",
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": name, "version": "1"},
                },
            )
        elif message["method"] == "tools/list":
            page = int(parameters.get("cursor", 0))
            tool = {"name": f"{name}_do" if page == 0 else f"{name}_page_{page}", "inputSchema": {"type": "object"}}
            more = {"nextCursor": str(page + 1)} if page < 2 else {}
            answer(own_id, {"tools": [tool], **more})
        elif message["method"] == "tools/call":
            arguments: dict[str, Any] = parameters.get("arguments") or {}
            do(own_id, arguments.get("what", "echo"), arguments.get("value", ""))


def forever() -> Iterator[str]:
    while True:
        line = sys.stdin.readline()
        if line:
            yield line
        else:
            time.sleep(0.05)


main()
