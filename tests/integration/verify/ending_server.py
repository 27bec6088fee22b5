"""A stdio MCP server that ends as soon as it has answered its first call."""

import json
import os
import sys
from typing import Any

ANSWERS: dict[str, Any] = {
    "initialize": {
        "protocolVersion": "2025-03-26",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "ending", "version": "1"},
    },
    "tools/list": {"tools": [{"name": "once", "inputSchema": {"type": "object"}}]},
    "tools/call": {"content": [{"type": "text", "text": "once"}]},
}

for line in sys.stdin:
    request = json.loads(line)
    if "id" in request:
        answer = {"jsonrpc": "2.0", "id": request["id"], "result": ANSWERS[request["method"]]}
        print(json.dumps(answer), flush=True)
    if request["method"] == "tools/call":
        # At once: the end of an interpreter takes its time on a busy machine.
        os._exit(0)
