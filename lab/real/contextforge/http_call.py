"""HTTP calls to the gateway that holds 127.0.0.1:9200 on the VPS, as a program on the VPS makes them.

Owns: one HTTP request from inside the VPS's network, one tool call. A secret goes by stdin, never by arguments.
Deliberately does not: know which gateway answers.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console.errors import UserError
from lab.box import Box
from lab.box.network import inside
from lab.real.contextforge.services import PORT

LIMIT_SECONDS = 60
_PROGRAM = Path(__file__).with_name("http_call_inside.py")


@dataclass(frozen=True)
class Answer:
    """Status and body of an answer; `body` is parsed where it is JSON."""

    status: int
    body: Any


def call(
    box: Box,
    method: str,
    path: str,
    *,
    token: str = "",
    basic: str = "",
    body: Mapping[str, object] | None = None,
    port: int = PORT,
) -> Answer:
    """One request to the port, with a token or with `user:password`.

    Raises UserError when nobody answers within `LIMIT_SECONDS`.
    """
    headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    elif basic:
        headers["Authorization"] = f"Basic {base64.b64encode(basic.encode()).decode()}"
    request = {
        "port": port,
        "method": method,
        "path": path,
        "headers": headers,
        "body": None if body is None else json.dumps(body),
        "limit_seconds": LIMIT_SECONDS,
    }
    argv = inside(box.vps, [sys.executable, "-I", "-S", str(_PROGRAM)])
    done = subprocess.run(argv, input=json.dumps(request), capture_output=True, text=True)
    if done.returncode:
        last = "".join(done.stderr.strip().splitlines()[-1:])
        raise UserError(f"Nobody answered {method} {path} on the lab's 127.0.0.1:{port}: {last or 'no reason given'}.")
    answer = json.loads(done.stdout)
    return Answer(answer["status"], _parsed(answer["body"]))


def call_tool(box: Box, tool: str, arguments: Mapping[str, object], token: str) -> Answer:
    """`tools/call` over streamable HTTP, without a session, which ContextForge does not require."""
    parameters = {"name": tool, "arguments": dict(arguments)}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": parameters}
    return call(box, "POST", "/mcp", token=token, body=message)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
