"""Which tools a gateway lists, asked over MCP as a client asks.

Owns: one session with one `tools/list`, its pages and its end. Deliberately does not: call a tool.
Source of the messages: Model Context Protocol, streamable HTTP, 2025-06-18.
"""

from __future__ import annotations

import http.client
import json
from typing import Any

from hostctl.core.documents import parsed, rows, table
from hostctl.core.errors import Refusal
from hostctl.mcp import initialize

ANSWER_SECONDS = 10.0
MOST_PAGES = 100


def tools(target: initialize.Target, seconds: float) -> set[str]:
    """The names of every tool that is listed; raises Refusal when there is no good answer within `seconds`."""
    hello = initialize.wait(target, seconds)
    if not hello.good:
        raise Refusal(f"no good MCP answer at {target.address}:{target.port} ({hello.reason})")
    try:
        _ask(target, hello.session, {"jsonrpc": "2.0", "method": "notifications/initialized"})
        names: set[str] = set()
        cursor: dict[str, Any] = {}
        for number in range(MOST_PAGES):
            page = _ask(
                target, hello.session, {"jsonrpc": "2.0", "id": number, "method": "tools/list", "params": cursor}
            )
            names |= {str(table(tool).get("name")) for tool in rows(page.get("tools"))}
            if not page.get("nextCursor"):
                break
            cursor = {"cursor": page["nextCursor"]}
        return names
    finally:
        initialize.end_session(target, hello)


def _ask(target: initialize.Target, session: str, message: dict[str, Any]) -> dict[str, Any]:
    connection = http.client.HTTPConnection(target.address, target.port, timeout=ANSWER_SECONDS)
    headers = {
        "Host": target.host,
        "Authorization": f"Bearer {initialize.token_in(target.token_file)}",
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
        "Mcp-Protocol-Version": initialize.PROTOCOL,
        **({"Mcp-Session-Id": session} if session else {}),
    }
    try:
        connection.request("POST", target.path, json.dumps(message), headers)
        answer = connection.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise Refusal(f"{message['method']} was not answered ({type(error).__name__})") from None
    finally:
        connection.close()
    if answer.status >= http.client.BAD_REQUEST:
        raise Refusal(f"{message['method']} was answered with HTTP {answer.status}")
    # As an event stream the answer is the line of its data.
    lines = [line[5:] if line.startswith(b"data:") else line for line in text.splitlines()]
    answers = [found for found in map(parsed, lines) if found]
    return table(answers[-1].get("result")) if answers else {}
